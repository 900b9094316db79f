// SPDX-License-Identifier: MIT

#include "house/house_rules.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"

namespace mneme::house {
namespace {

namespace fs = std::filesystem;

TEST(House, ThisTreeFollowsTheRules) {
  const Inspection inspection = inspect(MNEME_SOURCE_DIR);
  EXPECT_GT(inspection.files, 20);
  for (const Violation& violation : inspection.violations) {
    ADD_FAILURE() << violation.file << ":" << violation.line << ": " << violation.what;
  }
}

/// A temporary source tree with the files that a test adds.
class HouseRules : public ::testing::Test {
protected:
  void add(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  /// Adds a file with a valid licence line (line 1) and include guard or empty line (line 2) before `text`.
  void add_source(const std::string& file, const std::string& text) {
    add(file, "// SPDX-License-Identifier: MIT\n" +
                  std::string(file.ends_with(".h") ? "#pragma once\n" : "\n") + text);
  }
  /// "file:line: what" of each violation, one per line.
  std::string violations() const {
    std::string all;
    for (const Violation& violation : inspect(root_).violations) {
      all += violation.file + ":" + std::to_string(violation.line) + ": " + violation.what + "\n";
    }
    return all;
  }

private:
  const mneme::testing::TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
};

TEST_F(HouseRules, AcceptAllowedDependencies) {
  add_source("include/mneme/memory/sdm.h",
             "#include <vector>\n#include \"mneme/core/patterns.h\"\n#include \"mneme/memory/recall.h\"\n");
  add_source("src/memory/sdm.cpp",
             "#include \"mneme/memory/sdm.h\"\n#include \"kernels/hamming/hamming.h\"\n"
             "#include \"memory/counters.h\"\n#include \"mneme/theory/circle.h\"\n#include <fmt/format.h>\n");
  add_source("src/kernels/hamming/hamming_test.cpp", "#include \"mneme/memory/sdm.h\"\n");
  add_source("include/mneme/nn/leap.h", "#include <torch/nn.h>\n#include \"mneme/ops/associate.h\"\n");
  add_source("cli/recall.cpp", "#include \"report/page.h\"\n#include \"mneme/nn/leap.h\"\nint main() { "
                               "std::printf(\"1\"); std::exit(0); }\n");
  add_source("experiments/sdm/softmax.cpp",
             "#include \"experiments/experiment.h\"\n#include \"report/page.h\"\n");
  EXPECT_EQ(violations(), "");
}

TEST_F(HouseRules, RejectForbiddenDependencies) {
  add_source("src/theory/circle.cpp", "#include \"mneme/memory/sdm.h\"\n");
  add_source("include/mneme/nn/leap.h", "\n#include <mneme/memory/sdm.h>\n");
  add_source("report/page.cpp", "#include \"cli/options.h\"\n");
  add_source("src/data/npy.cpp", "#include \"kernels/hamming/hamming.h\"\n");
  add_source("src/core/random.cpp", "  #  include \"mneme/data/npy.h\"\n");
  EXPECT_EQ(violations(), "include/mneme/nn/leap.h:4: nn may not include memory (mneme/memory/sdm.h)\n"
                          "src/core/random.cpp:3: core may not include data (mneme/data/npy.h)\n"
                          "src/data/npy.cpp:3: data may not include kernels (kernels/hamming/hamming.h)\n"
                          "src/theory/circle.cpp:3: theory may not include memory (mneme/memory/sdm.h)\n"
                          "report/page.cpp:3: report may not include cli (cli/options.h)\n");
}

TEST_F(HouseRules, RejectPrivateHeadersOfOtherModules) {
  add_source("include/mneme/memory/sdm.h", "#include \"kernels/hamming/hamming.h\"\n");
  add_source("src/trials/sweep.cpp", "#include \"memory/counters.h\"\n");
  add_source("src/memory/sdm.cpp", "#include \"../theory/circle.h\"\n#include \"mneme/utils/all.h\"\n");
  EXPECT_EQ(
      violations(),
      "include/mneme/memory/sdm.h:3: a public header includes the private kernels/hamming/hamming.h\n"
      "src/memory/sdm.cpp:3: includes ../theory/circle.h by a relative path; write the path from the root\n"
      "src/memory/sdm.cpp:4: includes mneme/utils/all.h, which is not in a public module\n"
      "src/trials/sweep.cpp:3: includes memory/counters.h, a private header of memory\n");
}

TEST_F(HouseRules, RequireIncludesForLibTorchInPublicHeaders) {
  add_source("include/mneme/nn/a.h", "at::Tensor a();\nat::Tensor b();\n");
  add_source("include/mneme/nn/b.h", "#include <ATen/core/Tensor.h>\nat::Tensor a();\n");
  add_source("include/mneme/nn/c.h", "#include \"mneme/ops/associate.h\"\nat::Tensor a();\n");
  add_source("src/nn/a.cpp", "at::Tensor a();\n");
  EXPECT_EQ(violations(),
            "include/mneme/nn/a.h:3: names LibTorch, but includes neither its headers nor those of "
            "a module that does\n");
}

TEST_F(HouseRules, RejectLibTorchOutsideItsModules) {
  for (const std::string name : {"core", "kernels", "theory", "memory", "data", "trials"}) {
    add_source("src/" + name + "/a.cpp",
               "#include <torch/torch.h>\n#include <ATen/ATen.h>\n#include <c10/util/Half.h>\n");
  }
  const std::string found = violations();
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 18);
  EXPECT_NE(
      found.find(
          "src/trials/a.cpp:5: trials includes c10/util/Half.h: mneme::memory must not depend on LibTorch\n"),
      std::string::npos);
}

TEST_F(HouseRules, RejectHeavyIncludesAndUsingNamespaceInHeaders) {
  add_source("include/mneme/core/a.h",
             "#include <fmt/format.h>\n#include <boost/math/special_functions.hpp>\nusing namespace std;\n");
  add_source("include/mneme/core/d.h", "#include <cstdint>\n#include <sqlite3.h>\n#include \"hwy/base.h\"\n");
  add_source("include/mneme/nn/a.h", "#include <torch/torch.h>\n#include <torch/nn/module.h>\n");
  add_source("src/core/b.h", "#include <nlohmann/json.hpp>\n");
  add("src/core/c.h", "// SPDX-License-Identifier: MIT\n");
  EXPECT_EQ(
      violations(),
      "include/mneme/core/a.h:3: a public header includes fmt/format.h; include it in a source file only\n"
      "include/mneme/core/a.h:4: a public header includes boost/math/special_functions.hpp; include it in "
      "a source file only\n"
      "include/mneme/core/a.h:5: 'using namespace' in a header also applies to every file that includes it\n"
      "include/mneme/core/d.h:4: a public header includes sqlite3.h; include it in a source file only\n"
      "include/mneme/core/d.h:5: a public header includes hwy/base.h; include it in a source file only\n"
      "include/mneme/nn/a.h:3: a public header includes torch/torch.h; include only the headers of LibTorch "
      "that it uses\n"
      "src/core/c.h:1: has no '#pragma once'\n");
}

TEST_F(HouseRules, RejectPrintingAndExitingInTheLibrary) {
  add_source("src/data/a.cpp", "void f() {\n  std::cout << 1;\n  fprintf(stderr, x);\n  std::exit(1);\n  "
                               "abort ();\n  fmt::print(\"\");\n}\n");
  add_source("src/core/progress.cpp", "void f() { fprintf(stderr, x); }\n");
  EXPECT_EQ(violations(),
            "src/data/a.cpp:4: 'std::cout': only cli and server may print or end the process\n"
            "src/data/a.cpp:5: 'stderr': only cli and server may print or end the process\n"
            "src/data/a.cpp:6: 'exit(': only cli and server may print or end the process\n"
            "src/data/a.cpp:7: 'abort (': only cli and server may print or end the process\n"
            "src/data/a.cpp:8: 'fmt::print(': only cli and server may print or end the process\n");
}

TEST_F(HouseRules, IgnoreCommentsAndStrings) {
  add_source(
      "src/data/a.cpp",
      "// std::cout, exit(1), using namespace\n/* #include \"mneme/memory/sdm.h\"\n#include "
      "\"mneme/nn/leap.h\" */\n"
      "const char* a = \"exit(\\\" std::cerr\";\nconst char* b = R\"x(rand()\n#include "
      "\"mneme/nn/leap.h\"\n)x\";\n"
      "const long c = 1'000'000; const char d = '\"'; void on_exit_of(int); int e = snprintf(0, 0, \"\");\n");
  EXPECT_EQ(violations(), "");
}

TEST_F(HouseRules, RejectHiddenRandomnessAndOwnThreads) {
  add_source("src/memory/a.cpp", "int a = rand();\nstd::random_device b;\n#pragma omp parallel for\n");
  add_source("fetch/a.cpp", "std::thread b;\nauto c = std::async(f);\nauto d = std::this_thread::get_id();\n"
                            "int e = std::thread::hardware_concurrency();\n");
  EXPECT_EQ(violations(),
            "src/memory/a.cpp:3: 'rand(': pass a seed and use mneme/core/random.h\n"
            "src/memory/a.cpp:4: 'std::random_device': pass a seed and use mneme/core/random.h\n"
            "src/memory/a.cpp:5: '#pragma omp': use mneme/core/parallel.h for parallel loops\n"
            "fetch/a.cpp:3: 'std::thread': use mneme/core/parallel.h for parallel loops\n"
            "fetch/a.cpp:4: 'std::async': use mneme/core/parallel.h for parallel loops\n");
}

TEST_F(HouseRules, RejectCommentsThatAreLongerThanLinesOfCode) {
  const std::string fits = "// " + std::string(107, 'x') + "\n";
  add_source("src/core/a.cpp",
             fits + "  /// " + std::string(105, 'x') + "\nint a; // " + std::string(200, 'x') + "\n");
  EXPECT_EQ(violations(), "src/core/a.cpp:4: a comment of more than 110 columns\n");
}

TEST_F(HouseRules, RejectWhatClang14DoesNotCompile) {
  add_source(
      "src/core/a.cpp",
      "auto a = std::ranges::unique(b);\nstd::ranges::sort(b);\nfor (int c : b | std::views::reverse) {\n");
  EXPECT_EQ(violations(),
            "src/core/a.cpp:3: 'std::ranges::unique': clang 14 does not compile it; use the algorithm of "
            "<algorithm>\n"
            "src/core/a.cpp:5: 'views::': clang 14 does not compile it; use the algorithm of <algorithm>\n");
}

TEST_F(HouseRules, RejectFilesThatAreNotBuilt) {
  add("src/CMakeLists.txt", "foreach(module IN ITEMS core kernels)\n");
  add("src/core/CMakeLists.txt", "mneme_module(mneme_memory core HEADERS a.h SOURCES a.cpp)\n");
  add("src/kernels/CMakeLists.txt", "mneme_add_kernel(dot)\n");
  add("tests/core/CMakeLists.txt",
      "mneme_add_test(core_tests SOURCES a_test.cpp ${PROJECT_SOURCE_DIR}/tests/b.cpp)\n");
  for (const std::string file :
       {"include/mneme/core/a.h", "include/mneme/core/b.h", "src/core/a.cpp", "src/core/b.cpp",
        "src/core/c.h", "src/kernels/dot/dot_test.cpp", "src/kernels/dot/dot_long_test.cpp",
        "tests/core/a_test.cpp", "tests/core/b_test.cpp", "tests/core/c.h"}) {
    add_source(file, "");
  }
  EXPECT_EQ(
      violations(),
      "include/mneme/core/b.h:1: is not listed in src/core/CMakeLists.txt, so it is not built\n"
      "src/core/b.cpp:1: is not listed in src/core/CMakeLists.txt, so it is not built\n"
      "src/kernels/dot/dot_long_test.cpp:1: is not listed in src/kernels/CMakeLists.txt, so it is not built\n"
      "tests/core/b_test.cpp:1: is not listed in tests/core/CMakeLists.txt, so it is not built\n");
}

TEST_F(HouseRules, RejectFilesWithoutLicenceOrModule) {
  add("tests/core/a_test.cpp", "#include <gtest/gtest.h>\n");
  add("src/core/empty.cpp", "");
  add_source("src/utils/all.cpp", "");
  EXPECT_EQ(violations(),
            "src/core/empty.cpp:1: the first line is not '// SPDX-License-Identifier: MIT'\n"
            "src/utils/all.cpp:1: is not in a known module\n"
            "tests/core/a_test.cpp:1: the first line is not '// SPDX-License-Identifier: MIT'\n");
}

} // namespace
} // namespace mneme::house
