// SPDX-License-Identifier: MIT

/// `mneme data`: lists published data sets, and downloads them.

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/bytes.h"
#include "cli/json_output.h"
#include "cli/verb.h"
#include "fetch/data_sets.h"
#include "fetch/download.h"
#include "fetch/http.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/folders.h"
#include "report/table.h"

namespace mneme::cli {
namespace {

using fetch::DataSet;
using fetch::RemoteFile;

/// Local state of a data set.
struct LocalDataSet {
  const DataSet& set;
  std::filesystem::path folder;
  int64_t present = 0, bytes_to_download = 0;
  std::vector<std::string> wrong; ///< files with the name of a published file and different contents

  bool complete() const { return present == static_cast<int64_t>(set.final_files().size()); }
  std::string state() const {
    if (!wrong.empty()) {
      return fmt::format("not the published file: {}", fmt::join(wrong, ", "));
    }
    if (complete()) {
      return "present";
    }
    return present == 0 ? "missing"
                        : fmt::format("{} of {} files present", present, set.final_files().size());
  }
};

/// `check_contents`: compares the SHA-256 of the files with the published ones.
LocalDataSet find_local(const DataSet& set, const std::filesystem::path& root, bool check_contents,
                        Progress& progress) {
  LocalDataSet local{.set = set, .folder = root / set.name};
  if (check_contents) {
    progress.start(set.name, static_cast<int64_t>(set.final_files().size()));
  }
  for (const RemoteFile& file : set.final_files()) {
    const fetch::FileState state = fetch::state_of(file, local.folder);
    const bool exists = state == fetch::FileState::present || state == fetch::FileState::other_size;
    if (state == fetch::FileState::other_size ||
        (exists && check_contents && !fetch::is_published(file, local.folder))) {
      local.wrong.push_back(file.name);
    } else if (exists) {
      ++local.present;
    }
    progress.advance();
  }
  progress.finish();
  if (!local.complete()) {
    for (const RemoteFile& file : set.files) {
      local.bytes_to_download += file.size;
    }
  }
  return local;
}

class DataVerb : public Verb {
public:
  std::string name() const override { return "data"; }
  std::string summary() const override { return "list and download published data sets"; }

  bool uses_seed(const Arguments&) const override { return false; }
  std::vector<std::string> completions(const std::string& option) const override {
    std::vector<std::string> names;
    if (option == "NAME") {
      std::ranges::transform(fetch::data_sets(), std::back_inserter(names), &DataSet::name);
    }
    return names;
  }

  void declare(Arguments& arguments) override {
    arguments.require_subcommand(0, 1); // without a subcommand, the verb lists the data sets
    list_ = arguments.add_subcommand("list", "list the known data sets and whether they are present");
    list_->add_flag("--check", check_, "Compare the SHA-256 of every present file with the published one");
    get_ = arguments.add_subcommand("get", "download data sets; files that are already present are skipped");
    get_->add_option("NAME", names_, "Data sets to download: " + names_of_all())
        ->type_name("NAME")
        ->required();
    get_->add_option("--mirror", mirror_, "URL of a folder with the files, instead of the default servers")
        ->type_name("URL");
    arguments.footer(
        "Data folder: --out, else $MNEME_DATA, else $XDG_DATA_HOME/mneme, else ~/.local/share/mneme.");
  }

  ExitCode run(Context& context) override {
    const std::filesystem::path root = data::data_folder(context.options.out);
    return get_->parsed() ? get(context, root) : list(context, root);
  }

private:
  static std::string names_of_all() {
    std::string names;
    for (const DataSet& set : fetch::data_sets()) {
      names += (names.empty() ? "" : ", ") + set.name;
    }
    return names;
  }

  ExitCode list(Context& context, const std::filesystem::path& root) const {
    std::vector<LocalDataSet> all;
    for (const DataSet& set : fetch::data_sets()) {
      all.push_back(find_local(set, root, check_, context.progress));
    }
    print(context, root, all);
    const bool intact = std::ranges::all_of(all, [](const LocalDataSet& each) { return each.wrong.empty(); });
    return check_ && !intact ? ExitCode::check_failed : ExitCode::ok;
  }

  ExitCode get(Context& context, const std::filesystem::path& root) const {
    std::vector<const DataSet*> requested; // all names are checked before the first download
    for (const std::string& name : names_) {
      requested.push_back(&fetch::data_set_named(name));
    }
    if (!mirror_.empty()) {
      fetch::check_address(mirror_);
    }
    std::vector<LocalDataSet> all;
    for (const DataSet* set : requested) {
      const std::vector<std::string> mirrors =
          mirror_.empty() ? set->mirrors : std::vector<std::string>{mirror_};
      fetch::get_data_set(*set, mirrors, root / set->name, context.progress);
      all.push_back(find_local(*set, root, false, context.progress));
    }
    print(context, root, all);
    return ExitCode::ok;
  }

  static void print(const Context& context, const std::filesystem::path& root,
                    const std::vector<LocalDataSet>& all) {
    if (context.options.json) {
      nlohmann::ordered_json sets = nlohmann::ordered_json::array();
      for (const LocalDataSet& each : all) {
        sets.push_back({{"name", each.set.name},
                        {"title", each.set.title},
                        {"folder", printable(each.folder.string())},
                        {"complete", each.complete()},
                        {"files", each.set.final_files().size()},
                        {"files_present", each.present},
                        {"files_wrong", each.wrong},
                        {"bytes_to_fetch", each.bytes_to_download}});
      }
      print_json(context.out, {{"folder", printable(root.string())}, {"data_sets", sets}});
      return;
    }
    report::Table table{
        .columns = {{.name = "data set"}, {.name = "description"}, {.name = "state"}, {.name = "download"}}};
    for (const LocalDataSet& each : all) {
      table.rows.push_back({each.set.name, each.set.title, each.state(),
                            each.complete()
                                ? report::Cell()
                                : report::Cell(bytes_text(static_cast<double>(each.bytes_to_download)))});
    }
    context.out << "Data folder: " << printable(root.string()) << "\n\n"
                << report::to_text(table, context.text_style());
    std::string uses, missing;
    for (const LocalDataSet& each : all) {
      if (each.complete()) {
        uses += fmt::format("\nTo use {}: {}", each.set.name, command_of(each, context.options.out));
      } else {
        missing += " " + each.set.name;
      }
    }
    context.out << uses << (uses.empty() ? "" : "\n");
    if (!missing.empty()) {
      context.out << "\nTo download: mneme data get" << missing << "\n";
    }
  }

  /// A command that reads the data set. `given` is the folder of --out.
  static std::string command_of(const LocalDataSet& local, const std::filesystem::path& given) {
    if (local.set.command.empty()) {
      return "mneme recall --limit 100 --patterns " + shell_path((local.folder / local.set.example).string());
    }
    return local.set.command + (given.empty() ? "" : " --data " + shell_path(given.string()));
  }

  Arguments* list_ = nullptr;
  Arguments* get_ = nullptr;
  bool check_ = false;
  std::vector<std::string> names_;
  std::string mirror_;
};

} // namespace

std::unique_ptr<Verb> make_data() {
  return std::make_unique<DataVerb>();
}

} // namespace mneme::cli
