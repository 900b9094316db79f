// SPDX-License-Identifier: MIT

/// `mneme doctor`: reports the CPU, its kernels, memory and LibTorch devices, and problems with their fixes.

#include <atomic>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/colour.h"
#include "cli/json_output.h"
#include "cli/torch_program.h"
#include "cli/verb.h"
#include "mneme/core/cpu.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/parallel.h"
#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "verify/device.h"

namespace mneme::cli {
namespace {

constexpr const char* kSelfCheck = "64 patterns recalled from cues with 20% noise";

/// Checks that each of 64 random patterns is the nearest neighbour of a noisy copy of itself. Uses the random
/// numbers, patterns and parallel loops of mneme, but no kernel. The probability of a failure by chance is
/// below 1e-60.
bool self_check_passes(uint64_t seed) {
  constexpr int64_t kPatterns = 64, kBits = 1024, kFlipped = kBits / 5;
  BitPatterns stored(kPatterns, kBits);
  for (int64_t i = 0; i < kPatterns; ++i) {
    Random random = Random(seed).stream(static_cast<uint64_t>(i));
    for (uint64_t& word : stored[i]) {
      word = random.next();
    }
  }
  BitPatterns cues = stored;
  std::atomic<int64_t> recalled{0};
  parallel_for(kPatterns, 1, [&](int64_t i, int64_t) {
    for (const int64_t bit :
         Random(seed).stream(kPatterns + static_cast<uint64_t>(i)).distinct(kFlipped, kBits)) {
      cues.flip(i, bit);
    }
    bool nearest_is_own = true;
    for (int64_t j = 0; j < kPatterns; ++j) {
      nearest_is_own = nearest_is_own && (j == i || hamming_distance(cues, i, stored, j) > kFlipped);
    }
    recalled += nearest_is_own && hamming_distance(cues, i, stored, i) == kFlipped;
  });
  return recalled == kPatterns;
}

std::string gibibytes(const std::optional<uint64_t>& bytes) {
  return bytes ? fmt::format("{:.1f} GiB", static_cast<double>(*bytes) / (1 << 30)) : "unknown";
}

nlohmann::ordered_json as_json(const std::optional<uint64_t>& number) {
  return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

struct Findings {
  std::vector<CpuTarget> targets;
  std::string target; ///< empty if the requested target cannot run
  MachineMemory memory;
  nlohmann::ordered_json torch; ///< null: there is no mneme-nn; "version" and "devices" are null if unknown
  bool self_check = false;
  std::vector<std::string> problems; ///< with instructions how to fix them
};

nlohmann::ordered_json to_json(const verify::Devices& devices) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const verify::Device& device : devices.found) {
    nlohmann::ordered_json memory = nullptr;
    if (device.memory) {
      memory = {{"total", device.memory->total}, {"available", device.memory->available}};
    }
    const nlohmann::ordered_json model = device.model.empty()
                                             ? nlohmann::ordered_json(nullptr)
                                             : nlohmann::ordered_json(printable(device.model));
    list.push_back({{"name", device.name}, {"model", model}, {"memory_bytes", memory}});
  }
  return list;
}

/// Queries LibTorch in a separate process, since `mneme doctor` must also work if LibTorch cannot be loaded.
void examine_torch(Findings& found) {
  if (verify::libtorch_devices) {
    const verify::Devices devices = verify::libtorch_devices();
    found.torch = {
        {"version", devices.version}, {"built_for", devices.built_for}, {"devices", to_json(devices)}};
    return;
  }
  try {
    const std::optional<ProgramOutput> output = run_torch_program({"doctor", "--json"});
    if (!output) {
      return;
    }
    found.torch = {{"version", nullptr}, {"built_for", nullptr}, {"devices", nullptr}};
    const auto document = nlohmann::ordered_json::parse(output->out, nullptr, false);
    const nlohmann::ordered_json::json_pointer torch("/environment/libtorch");
    if (document.contains(torch / "devices")) {
      found.torch = document.at(torch);
    } else {
      found.problems.push_back(fmt::format("mneme-nn, the program with LibTorch, ended with status {} and "
                                           "reported no devices; its error message "
                                           "is on stderr.\n  If it cannot load LibTorch, restore LibTorch to "
                                           "the folder where it was when mneme "
                                           "was built; otherwise rebuild mneme.",
                                           output->status));
    }
  } catch (const UnsupportedError& error) {
    found.problems.emplace_back(error.what());
  }
}

/// The devices as text, such as "cpu, cuda:0 (NVIDIA H100 80GB HBM3, 79.1 GiB, 78.6 GiB available)".
std::string device_list(const nlohmann::ordered_json& torch) {
  if (torch.at("devices").is_null()) {
    return "unknown: mneme-nn reported no devices";
  }
  std::vector<std::string> names;
  for (const nlohmann::ordered_json& device : torch.at("devices")) {
    std::vector<std::string> about;
    if (!device.at("model").is_null()) {
      about.push_back(device.at("model").get<std::string>());
    }
    if (const auto& memory = device.at("memory_bytes"); !memory.is_null()) {
      about.push_back(gibibytes(memory.at("total").get<uint64_t>()));
      about.push_back(gibibytes(memory.at("available").get<uint64_t>()) + " available");
    }
    const std::string name = device.at("name").get<std::string>();
    names.push_back(about.empty() ? name : fmt::format("{} ({})", name, fmt::join(about, ", ")));
  }
  std::string remark;
  if (names.size() <= 1) { // no device besides the CPU
    const auto built_for = torch.at("built_for").get<std::vector<std::string>>();
    remark = built_for.empty()
                 ? "; this LibTorch was built without CUDA or another accelerator"
                 : fmt::format("; no accelerator found, although this LibTorch was built for {}",
                               fmt::join(built_for, ", "));
  }
  return fmt::format("{}{}", fmt::join(names, ", "), remark);
}

Findings examine(uint64_t seed) {
  Findings found;
  found.targets = cpu_targets();
  found.memory = machine_memory();
  try {
    found.target = cpu_target();
  } catch (const UnsupportedError& error) {
    found.problems.push_back(std::string(error.what()) +
                             "\n  Set MNEME_CPU_ISA to one of these, or unset it to use the best one.");
  }
  if (const std::string better = better_cpu_target(); !better.empty()) {
    found.problems.push_back(fmt::format(
        "Kernels run slower than they could: this CPU runs the target \"{}\", which this build does not "
        "have. Build mneme on this machine again (./dev run), or configure it with -DMNEME_CPU_TARGETS=all.",
        better));
  }
  examine_torch(found);
  found.self_check = self_check_passes(seed);
  if (!found.self_check) {
    found.problems.push_back(
        "The self-check failed: this build or the memory of this machine is faulty. Rebuild "
        "mneme; if the self-check still fails, test the memory.");
  }
  return found;
}

std::string names(const std::vector<CpuTarget>& targets, bool only_runnable) {
  std::string list;
  for (const CpuTarget& target : targets) {
    if (target.runnable || !only_runnable) {
      list += (list.empty() ? "" : ", ") + target.name;
    }
  }
  return list;
}

void print_text(const Findings& found, const Context& context) {
  const Paint paint{context.colour};
  const auto line = [&](const std::string& label, const std::string& text) {
    context.out << paint.bold(fmt::format("{:<12}", label)) << text << '\n';
  };
  line("mneme", fmt::format("{}, {} build by {}", version(), MNEME_BUILD_TYPE, MNEME_COMPILER));
  line("CPU",
       fmt::format("{}, {} logical CPUs, {} used", cpu_model(), logical_cpus(), context.options.threads));
  line("Kernels", found.target.empty() ? "none selected" : found.target + " selected");
  line("  built", names(found.targets, false));
  line("  runnable", names(found.targets, true));
  if (!found.target.empty()) {
    line("  bfloat16", has_bfloat16_products() ? "products by instructions of this CPU"
                                               : "no instructions in use: products are computed in float32");
  }
  line("Memory",
       fmt::format("{}, {} available{}", gibibytes(found.memory.total), gibibytes(found.memory.available),
                   found.memory.limit
                       ? fmt::format(", limited to {} by the container", gibibytes(found.memory.limit))
                       : ""));
  if (found.torch.is_null()) {
    line("LibTorch", "no mneme-nn found; only layers and models need it, `./dev nn` builds it");
  } else {
    const nlohmann::ordered_json& torch_version = found.torch.at("version");
    line("LibTorch",
         (torch_version.is_null() ? "unknown version" : torch_version.get<std::string>()) + ", in mneme-nn");
    line("  devices", device_list(found.torch));
  }
  line("Self-check", (found.self_check ? paint.green("passed") : paint.red("FAILED")) +
                         fmt::format(": {}, seed {}", kSelfCheck, context.options.seed));
  context.out << '\n';
  for (const std::string& problem : found.problems) {
    context.out << paint.red("To fix: ") << problem << '\n';
  }
  if (found.problems.empty()) {
    context.out << paint.green("No problems found.") << '\n';
  }
}

nlohmann::ordered_json to_json(const Findings& found, const CommonOptions& options) {
  nlohmann::ordered_json targets = nlohmann::ordered_json::array();
  for (const CpuTarget& target : found.targets) {
    targets.push_back(
        {{"name", target.name}, {"description", target.description}, {"runnable", target.runnable}});
  }
  const nlohmann::ordered_json target =
      found.target.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(found.target);
  return {{"version", version()},
          {"seed", options.seed},
          {"environment",
           {{"build_type", MNEME_BUILD_TYPE},
            {"compiler", MNEME_COMPILER},
            {"cpu", cpu_model()},
            {"logical_cpus", logical_cpus()},
            {"threads", options.threads},
            {"cpu_target", target},
            {"cpu_targets", targets},
            {"bfloat16_products", !found.target.empty() && has_bfloat16_products()},
            {"memory_bytes",
             {{"total", as_json(found.memory.total)},
              {"available", as_json(found.memory.available)},
              {"limit", as_json(found.memory.limit)}}},
            {"libtorch", found.torch}}},
          {"self_check", found.self_check},
          {"problems", found.problems}};
}

class Doctor : public Verb {
public:
  std::string name() const override { return "doctor"; }
  std::string summary() const override {
    return "check this machine and this build, and report how to fix problems";
  }
  bool writes_files() const override { return false; }
  void declare(Arguments&) override {}

  ExitCode run(Context& context) override {
    const Findings found = examine(context.options.seed);
    if (context.options.json) {
      print_json(context.out, to_json(found, context.options));
    } else {
      print_text(found, context);
    }
    return found.problems.empty() ? ExitCode::ok : ExitCode::failed;
  }
};

} // namespace

std::unique_ptr<Verb> make_doctor() {
  return std::make_unique<Doctor>();
}

} // namespace mneme::cli
