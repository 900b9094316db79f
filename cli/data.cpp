// SPDX-License-Identifier: MIT

/// `mneme data`: which published data sets there are, which are here, and how to get the others.

#include <algorithm>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

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

/// What lies in the folder of a data set.
struct Holdings {
  const DataSet& set;
  std::filesystem::path folder;
  int64_t present = 0, bytes_to_come = 0;
  std::vector<std::string> wrong; ///< there under the name of a published file, but something else

  bool complete() const { return present == static_cast<int64_t>(set.kept().size()); }
  std::string state() const {
    if (!wrong.empty()) {
      return fmt::format("not the published file: {}", fmt::join(wrong, ", "));
    }
    return complete()     ? "here"
           : present == 0 ? "not here"
                          : fmt::format("{} of {} files here", present, set.kept().size());
  }
};

Holdings holdings_of(const DataSet& set, const std::filesystem::path& root, bool read_them,
                     Progress& progress) {
  Holdings holdings{.set = set, .folder = root / set.name};
  if (read_them) {
    progress.start(set.name, static_cast<int64_t>(set.kept().size()));
  }
  for (const RemoteFile& file : set.kept()) {
    const fetch::FileState state = fetch::state_of(file, holdings.folder);
    const bool there = state == fetch::FileState::present || state == fetch::FileState::other_size;
    if (state == fetch::FileState::other_size ||
        (there && read_them && !fetch::is_published(file, holdings.folder))) {
      holdings.wrong.push_back(file.name);
    } else if (there) {
      ++holdings.present;
    }
    progress.advance();
  }
  progress.finish();
  if (!holdings.complete()) {
    for (const RemoteFile& file : set.files) {
      holdings.bytes_to_come += file.size;
    }
  }
  return holdings;
}

class DataVerb : public Verb {
public:
  std::string name() const override { return "data"; }
  std::string summary() const override { return "list published data sets, and fetch them"; }

  void declare(CLI::App& app) override {
    list_ = app.add_subcommand("list", "which data sets there are, and which are here");
    list_->add_flag("--check", check_, "Read every file and compare its SHA-256 with the published one");
    get_ = app.add_subcommand("get", "fetch data sets, or what is missing of them");
    get_->add_option("NAME", names_, "Data sets: " + names_of_all())->type_name("NAME")->required();
    get_->add_option("--mirror", mirror_,
                     "Address of a folder that holds the files, instead of the usual ones")
        ->type_name("URL");
    app.footer("Data lies in --out, else in $MNEME_DATA, else in $XDG_DATA_HOME/mneme, else in "
               "~/.local/share/mneme.");
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
    std::vector<Holdings> all;
    for (const DataSet& set : fetch::data_sets()) {
      all.push_back(holdings_of(set, root, check_, context.progress));
    }
    print(context, root, all);
    const bool sound = std::ranges::all_of(all, [](const Holdings& each) { return each.wrong.empty(); });
    return check_ && !sound ? ExitCode::check_failed : ExitCode::ok;
  }

  ExitCode get(Context& context, const std::filesystem::path& root) const {
    std::vector<const DataSet*> asked; // all names are checked before the first byte is fetched
    for (const std::string& name : names_) {
      asked.push_back(&fetch::data_set_named(name));
    }
    if (!mirror_.empty()) {
      fetch::check_address(mirror_);
    }
    std::vector<Holdings> all;
    for (const DataSet* set : asked) {
      const std::vector<std::string> mirrors =
          mirror_.empty() ? set->mirrors : std::vector<std::string>{mirror_};
      fetch::get_data_set(*set, mirrors, root / set->name, context.progress);
      all.push_back(holdings_of(*set, root, false, context.progress));
    }
    print(context, root, all);
    return ExitCode::ok;
  }

  static void print(const Context& context, const std::filesystem::path& root,
                    const std::vector<Holdings>& all) {
    if (context.options.json) {
      nlohmann::ordered_json sets = nlohmann::ordered_json::array();
      for (const Holdings& each : all) {
        sets.push_back({{"name", each.set.name},
                        {"title", each.set.title},
                        {"folder", printable(each.folder.string())},
                        {"complete", each.complete()},
                        {"files", each.set.kept().size()},
                        {"files_present", each.present},
                        {"files_wrong", each.wrong},
                        {"bytes_to_fetch", each.bytes_to_come}});
      }
      print_json(context.out, {{"folder", printable(root.string())}, {"data_sets", sets}});
      return;
    }
    report::Table table{
        .columns = {{.name = "data set"}, {.name = "what it is"}, {.name = "state"}, {.name = "to fetch"}}};
    for (const Holdings& each : all) {
      table.rows.push_back(
          {each.set.name, each.set.title, each.state(),
           each.complete()
               ? report::Cell()
               : report::Cell(fmt::format("{:.1f} MB", static_cast<double>(each.bytes_to_come) / 1e6))});
    }
    context.out << "In " << printable(root.string()) << ":\n\n"
                << report::to_text(table, {.colour = context.colour});
    const auto complete = std::ranges::find_if(all, &Holdings::complete);
    const auto absent = std::ranges::find_if(all, [](const Holdings& each) { return !each.complete(); });
    if (complete != all.end()) {
      context.out << "\nTry: mneme recall --limit 100 --patterns "
                  << printable((complete->folder / complete->set.example).string()) << "\n";
    }
    if (absent != all.end()) {
      context.out << "\nFetch: mneme data get " << absent->set.name << "\n";
    }
  }

  CLI::App* list_ = nullptr;
  CLI::App* get_ = nullptr;
  bool check_ = false;
  std::vector<std::string> names_;
  std::string mirror_;
};

} // namespace

std::unique_ptr<Verb> make_data() {
  return std::make_unique<DataVerb>();
}

} // namespace mneme::cli
