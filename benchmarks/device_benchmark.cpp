// SPDX-License-Identifier: MIT

/// Times ops and layers on a device and compares them with plain LibTorch, in float32 and bfloat16, forward
/// and backward.
///
/// device_benchmark DEVICE RESULTS [--short] [--seconds N] [--part NAME]
///   DEVICE     cpu, cuda or cuda:N
///   RESULTS    output file, one JSON document per line, flushed after each line so that they survive a kill
///   --short    small shapes and few runs, to test that everything works
///   --seconds  total time limit, divided among the remaining parts; default 300
///   --part     only cases of this part
/// device_check.sh runs it; device_report.py converts its results to tables.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "benchmarks/device_cases.h"
#include "benchmarks/device_measure.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"

namespace {

using Json = nlohmann::ordered_json;
using namespace mneme::benchmarks;

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16};

const char* name_of(at::ScalarType type) {
  return type == at::kFloat ? "float32" : "bfloat16";
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Arguments {
  at::Device device;
  std::string results;
  bool short_form = false;
  double seconds = 300;
  std::string part = {}; ///< empty: all
};

/// The device with its index. Throws if LibTorch does not find it.
at::Device device_of(const std::string& text) {
  if (text == "cpu") {
    return at::Device(at::kCPU);
  }
  if (text != "cuda" && !text.starts_with("cuda:")) {
    throw std::invalid_argument("the device is " + text + ", but must be cpu, cuda or cuda:N");
  }
  const at::Device device(text);
  const int64_t devices = torch::cuda::device_count(), index = device.has_index() ? device.index() : 0;
  if (index >= devices) {
    throw std::invalid_argument("device " + text + " was not found: LibTorch " TORCH_VERSION " finds " +
                                std::to_string(devices) + " CUDA devices");
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

Arguments arguments_of(const std::vector<std::string>& words) {
  if (words.size() < 2) {
    throw std::invalid_argument("device_benchmark DEVICE RESULTS [--short] [--seconds N] [--part NAME]");
  }
  Arguments arguments{.device = device_of(words[0]), .results = words[1]};
  for (size_t i = 2; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--short") {
      arguments.short_form = true;
    } else if (words[i] == "--seconds" && has_value) {
      arguments.seconds = std::stod(words[++i]);
    } else if (words[i] == "--part" && has_value) {
      arguments.part = words[++i];
    } else {
      throw std::invalid_argument("unknown option, or option without a value: " + words[i]);
    }
  }
  return arguments;
}

/// Writes lines of JSON to a file; each line is flushed before `write` returns.
class Results {
public:
  explicit Results(const std::string& path) : file_(path) { check(path); }
  void write(const Json& line) {
    file_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
    check("the results");
  }

private:
  void check(const std::string& name) const {
    if (!file_) {
      throw std::runtime_error("cannot write " + name);
    }
  }
  std::ofstream file_;
};

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

Json json_of(const Measurement& measured) {
  Json json = {{"seconds", measured.median},
               {"fastest", measured.fastest},
               {"host_seconds", measured.host},
               {"runs", measured.runs}};
  if (measured.peak_bytes) {
    json["peak_bytes"] = *measured.peak_bytes;
  }
  return json;
}

/// Measured limits of the device.
struct Limits {
  double bytes_per_second = 0;
  std::map<at::ScalarType, double> multiply_adds_per_second = {};
};

class Benchmark {
public:
  Benchmark(const Arguments& arguments, Results& results)
      : arguments_(arguments), results_(results), deadline_(seconds_now() + arguments.seconds),
        begin_(seconds_now()) {
    if (arguments_.short_form) {
      effort_ = {.seconds = 0.002, .min_runs = 2, .max_runs = 5};
    } else if (on_cpu()) {
      effort_.seconds = 0.3;
    }
  }

  void run() {
    write_machine();
    measure_limits();
    std::vector<Case> cases = device_cases(arguments_.short_form);
    std::erase_if(
        cases, [this](const Case& one) { return !arguments_.part.empty() && one.part != arguments_.part; });
    if (cases.empty()) {
      throw std::invalid_argument("unknown part " + arguments_.part);
    }
    std::set<std::string> parts_left;
    for (const Case& one : cases) {
      parts_left.insert(one.part);
    }
    double part_deadline = 0;
    std::string part;
    for (const Case& one : cases) {
      if (one.part != part) {
        part = one.part;
        const double now = seconds_now();
        part_deadline = now + (deadline_ - now) / static_cast<double>(parts_left.size());
        parts_left.erase(part);
      }
      run_case(one, part_deadline);
    }
    results_.write({{"kind", "end"}, {"rows", rows_}, {"seconds", seconds_now() - begin_}});
  }

private:
  bool on_cpu() const { return arguments_.device.is_cpu(); }

  void write_machine() {
    results_.write({{"kind", "machine"},
                    {"device", arguments_.device.str()},
                    {"cpu", mneme::cpu_model()},
                    {"cpu_target", mneme::cpu_target()},
                    {"threads", at::get_num_threads()},
                    {"libtorch", TORCH_VERSION},
                    {"short", arguments_.short_form}});
  }

  void measure_limits() {
    const auto size = [this](int64_t device_size, int64_t cpu_size, int64_t short_size) {
      if (arguments_.short_form) {
        return short_size;
      }
      return on_cpu() ? cpu_size : device_size;
    };
    constexpr int64_t kMebibyte = 1 << 20;
    const int64_t bytes = kMebibyte * size(2048, 256, 4);
    const at::Tensor from = at::ones({bytes}, at::device(arguments_.device).dtype(at::kByte)),
                     to = at::empty_like(from);
    const Measurement copy = measure([&] { to.copy_(from); }, arguments_.device, effort_);
    limits_.bytes_per_second = 2 * static_cast<double>(bytes) / copy.median;
    results_.write({{"kind", "limit"},
                    {"name", "copy"},
                    {"bytes", bytes},
                    {"bytes_per_second", limits_.bytes_per_second},
                    {"runs", copy.runs}});
    const int64_t length = size(8192, 2048, 128);
    for (const at::ScalarType type : kTypes) {
      limits_.multiply_adds_per_second[type] = matrix_rate(type, length);
    }
    if (!on_cpu()) {
      const bool allowed = at::globalContext().allowTF32CuBLAS();
      at::globalContext().setAllowTF32CuBLAS(!allowed);
      matrix_rate(at::kFloat, length);
      at::globalContext().setAllowTF32CuBLAS(allowed);
    }
  }

  /// Measures the multiply-adds per second of a square matrix product.
  double matrix_rate(at::ScalarType type, int64_t length) {
    const Setting setting{.device = arguments_.device, .type = type, .backward = false};
    const at::Tensor a = setting.input({length, length}), b = setting.input({length, length});
    at::Tensor product = at::empty_like(a);
    const Measurement measured = measure([&] { at::mm_out(product, a, b); }, arguments_.device, effort_);
    const double rate = std::pow(static_cast<double>(length), 3) / measured.median;
    Json line = {{"kind", "limit"},  {"name", "matrix product"}, {"type", name_of(type)},
                 {"length", length}, {"runs", measured.runs},    {"multiply_adds_per_second", rate}};
    if (type == at::kFloat && !on_cpu()) {
      line["tf32"] = at::globalContext().allowTF32CuBLAS();
    }
    results_.write(line);
    return rate;
  }

  void run_case(const Case& one, double part_deadline) {
    for (const at::ScalarType type : kTypes) {
      for (const bool backward : {false, true}) {
        if (backward ? one.has_backward : one.has_forward) {
          Json row = {{"kind", "row"},         {"part", one.part},
                      {"op", one.op},          {"shape", one.shape},
                      {"type", name_of(type)}, {"pass", backward ? "forward + backward" : "forward"}};
          if (seconds_now() > part_deadline) {
            row["mneme"] = {{"error", "not measured: the time limit of this part was reached"}};
          } else {
            measure_row(row, one, type, backward);
          }
          results_.write(row);
          ++rows_;
          show(row);
        }
      }
    }
  }

  void measure_row(Json& row, const Case& one, at::ScalarType type, bool backward) {
    at::Tensor ours; // output of mneme
    for (const Contender& contender : one.contenders) {
      const bool is_ours = &contender == &one.contenders.front();
      Json measured;
      try {
        measured = measure_contender(one, contender, type, backward, is_ours, ours);
      } catch (const std::exception& error) {
        measured = {{"error", first_line(error)}};
        mneme::benchmarks::release_memory(arguments_.device);
      }
      if (is_ours) {
        row["mneme"] = std::move(measured);
      } else {
        row["peers"][contender.name] = std::move(measured);
      }
    }
    add_fractions_of_limits(row, one.work, type, backward);
  }

  Json measure_contender(const Case& one, const Contender& contender, at::ScalarType type, bool backward,
                         bool is_ours, at::Tensor& ours) {
    const Work& work = one.work;
    const bool own = contender.multiply_adds > 0;
    const int64_t forward_adds = own ? contender.multiply_adds : work.multiply_adds,
                  backward_adds = own ? 2 * contender.multiply_adds : work.backward_multiply_adds;
    const double min_seconds = static_cast<double>(forward_adds + (backward ? backward_adds : 0)) /
                               limits_.multiply_adds_per_second.at(type);
    constexpr double kMaxSeconds = 3;
    if (min_seconds > kMaxSeconds && !arguments_.short_form) {
      char text[96];
      std::snprintf(text, sizeof text,
                    "not measured: takes at least %.2g s at the matrix rate of this device", min_seconds);
      return {{"error", text}};
    }
    torch::manual_seed(1);
    const Setting setting{.device = arguments_.device, .type = type, .backward = backward};
    const Call call = contender.prepare(setting);
    Json json;
    if (!backward) {
      const at::NoGradGuard no_gradient;
      // The first call may also allocate cached data; host reads are counted in the second one.
      at::Tensor output = call.forward();
      if (is_ours) {
        const auto reads = host_reads([&] { call.forward(); }, arguments_.device);
        ours = output;
        json = json_of(measure([&] { call.forward(); }, arguments_.device, effort_));
        json["host_reads"] = reads;
      } else {
        json = json_of(measure([&] { call.forward(); }, arguments_.device, effort_));
        if (contender.same_result && ours.defined()) {
          json["difference"] = difference(ours, output.reshape(ours.sizes()));
        }
      }
      return json;
    }
    const at::Tensor cotangent = at::randn_like(call.forward().detach());
    const auto step = [&] {
      torch::autograd::grad({call.forward()}, call.inputs, {cotangent}, {}, false, /*allow_unused=*/true);
    };
    return json_of(measure(step, arguments_.device, effort_));
  }

  /// Relative difference |ours - peer| / |peer| in the Frobenius norm.
  static Json difference(const at::Tensor& ours, const at::Tensor& peer) {
    const at::Tensor reference = peer.to(at::kDouble);
    const double relative = ((ours.to(at::kDouble) - reference).norm() / reference.norm()).item<double>();
    return std::isfinite(relative) ? Json(relative) : Json("not finite");
  }

  void add_fractions_of_limits(Json& row, const Work& work, at::ScalarType type, bool backward) const {
    const int64_t elements = work.elements + (backward ? work.gradient_elements : 0),
                  multiply_adds = work.multiply_adds + (backward ? work.backward_multiply_adds : 0),
                  bytes = elements * static_cast<int64_t>(c10::elementSize(type)) + work.mask_bytes;
    row["bytes"] = bytes;
    row["multiply_adds"] = multiply_adds;
    if (row["mneme"].contains("seconds")) {
      const double seconds = row["mneme"]["seconds"];
      row["bandwidth_share"] = static_cast<double>(bytes) / seconds / limits_.bytes_per_second;
      row["matrix_rate_share"] =
          static_cast<double>(multiply_adds) / seconds / limits_.multiply_adds_per_second.at(type);
    }
  }

  void show(const Json& row) const {
    const auto time_of = [](const Json& measured) {
      if (!measured.contains("seconds")) {
        return measured["error"].get<std::string>();
      }
      char text[32];
      std::snprintf(text, sizeof text, "%.3g ms", 1e3 * measured["seconds"].get<double>());
      return std::string(text);
    };
    std::string text = time_of(row["mneme"]);
    if (row.contains("peers")) {
      for (const auto& [name, measured] : row["peers"].items()) {
        text += "; " + name + " " + time_of(measured);
      }
    }
    std::fprintf(stderr, "timings %4.0f s  %s | %s | %s | %s: %s\n", seconds_now() - begin_,
                 row["op"].get<std::string>().c_str(), row["shape"].get<std::string>().c_str(),
                 row["type"].get<std::string>().c_str(), row["pass"].get<std::string>().c_str(),
                 text.c_str());
  }

  const Arguments& arguments_;
  Results& results_;
  double deadline_, begin_;
  Effort effort_;
  Limits limits_;
  int64_t rows_ = 0;
};

} // namespace

int main(int count, char** words) {
  try {
    const Arguments arguments = arguments_of({words + 1, words + count});
    Results results(arguments.results);
    Benchmark(arguments, results).run();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "device_benchmark: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_benchmark: %s\n", error.what());
    return 1;
  }
}
