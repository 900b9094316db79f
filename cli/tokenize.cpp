// SPDX-License-Identifier: MIT

/// `mneme tokenize`: trains tokenizers, and converts texts into token ids and back.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/bytes.h"
#include "cli/choices.h"
#include "cli/json_output.h"
#include "cli/numbers.h"
#include "cli/output_file.h"
#include "cli/text_files.h"
#include "cli/tokenize_info.h"
#include "cli/verb.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"
#include "mneme/tokens/token_file.h"
#include "mneme/tokens/train_bpe.h"

namespace mneme::cli {
namespace {

namespace fs = std::filesystem;
using tokens::TokenFile;
using tokens::Tokenizer;

constexpr const char* kBytes = "bytes"; // name of the tokenizer with one token per byte
constexpr const char* kSample = "Hello world! It's a  sample: caf\u00e9, 12 \u65e5\u672c.";

void add_tokenizer_option(Arguments& arguments, std::string& target) {
  arguments
      .add_option("--tokenizer", target,
                  "Folder with tokenizer.json, or with vocab.json and merges.txt; a tokenizer.json; or "
                  "\"bytes\", one "
                  "token per byte")
      ->type_name("PATH")
      ->capture_default_str();
}

Tokenizer tokenizer_named(const std::string& name) {
  return name == kBytes ? Tokenizer::bytes() : tokens::read_tokenizer(name);
}

/// Errors  UsageError if standard input is a terminal, where the program would seem to hang
void require_standard_input(const char* advice) {
  if (::isatty(STDIN_FILENO) == 1) {
    throw UsageError(fmt::format("there is no input.\n  {}", advice));
  }
}

constexpr const char* kTextHelp =
    "Text files or wildcards such as '*.txt', also compressed with gzip; - is standard input";

/// Whether a file is a token file of mneme or llm.c.
bool has_tokens(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> bytes{};
  file.read(bytes.data(), bytes.size());
  return tokens::is_token_file(std::as_bytes(std::span(bytes).first(static_cast<size_t>(file.gcount()))));
}

void add_out_option(Arguments& arguments, fs::path& target, const char* type, const char* help) {
  arguments.add_option("--out", target, help)->type_name(type);
}

std::string per_token(int64_t bytes, int64_t count) {
  return count == 0
             ? "no tokens"
             : fmt::format("{:.2f} bytes per token", static_cast<double>(bytes) / static_cast<double>(count));
}

class Train {
public:
  void declare(Arguments& arguments) {
    add_text_option(arguments, files_, kTextHelp)->required();
    add_field_option(arguments, field_);
    add_integer_option(arguments, "--vocab-size", options_.vocab_size, {.min = 257},
                       "Number of tokens: 256 bytes, merges and special tokens");
    add_integer_option(arguments, "--min-count", options_.min_count, {.min = 1},
                       "Pairs of tokens that occur less often are not merged");
    arguments.add_option("--special", options_.special_tokens, "Special tokens, which get the last ids")
        ->type_name("TOKEN")
        ->capture_default_str();
    add_out_option(arguments, folder_, "DIR", "Output folder (default: tokenizer)");
    arguments.footer(
        "The tokenizer is byte-level BPE with the pattern of GPT-2. It does not depend on the order "
        "of lines or\n"
        "on the number of threads.");
  }

  ExitCode run(Context& context) {
    require_writable(folder_, OutputKind::folder);
    std::vector<Documents> documents;
    std::vector<std::string_view> texts;
    for (const std::string& file : expanded(files_)) {
      documents.emplace_back(file, field_);
      std::ranges::copy(documents.back().texts(), std::back_inserter(texts));
    }
    const auto begin = std::chrono::steady_clock::now();
    const Tokenizer tokenizer = trained(texts, context.progress);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    tokens::write_tokenizer(folder_, tokenizer);
    int64_t bytes = 0, count = 0;
    context.progress.start("encode", static_cast<int64_t>(texts.size()));
    for (const std::string_view text : texts) {
      bytes += static_cast<int64_t>(text.size());
      tokenizer.encode_blocks(text, {.parse_special = true}, [&count](const std::vector<int32_t>& ids) {
        count += static_cast<int64_t>(ids.size());
      });
      context.progress.advance();
    }
    context.progress.finish();
    report(context, tokenizer, bytes, count, seconds.count());
    return ExitCode::ok;
  }

private:
  [[noreturn]] void fail_existing() const {
    throw UsageError(
        fmt::format("{} contains another tokenizer; it was not changed.\n  Choose another --out, or "
                    "delete the file.",
                    printable((folder_ / "tokenizer.json").string())));
  }

  /// The tokenizer in the folder, which is not replaced by another one.
  std::optional<Tokenizer> existing() const {
    const fs::path file = folder_ / "tokenizer.json";
    if (std::error_code error; !fs::exists(file, error)) {
      return std::nullopt;
    }
    try {
      return tokens::read_tokenizer(file);
    } catch (const Error&) { // not a tokenizer of mneme
      fail_existing();
    }
  }

  Tokenizer trained(std::span<const std::string_view> texts, Progress& progress) const {
    const std::optional<Tokenizer> expected = existing();
    tokens::TrainBpeOptions options = options_;
    options.expected = expected ? &*expected : nullptr;
    try {
      return tokens::train_bpe(texts, options, progress);
    } catch (const tokens::UnexpectedTokenizer&) {
      fail_existing();
    }
  }

  void report(Context& context, const Tokenizer& tokenizer, int64_t bytes, int64_t count,
              double seconds) const {
    const std::string name = printable(folder_.string());
    if (context.options.json) {
      print_json(context.out, {{"tokenizer", name},
                               {"vocab_size", tokenizer.vocab_size()},
                               {"merges", tokenizer.num_merges()},
                               {"special_tokens", options_.special_tokens},
                               {"sha256", tokenizer.hash()},
                               {"text_bytes", bytes},
                               {"text_tokens", count},
                               {"timing", {{"train_seconds", seconds}}}});
      return;
    }
    if (tokenizer.vocab_size() < options_.vocab_size) {
      context.progress.message(
          fmt::format("The vocabulary has {} tokens instead of {}: no other pair of tokens occurs "
                      "{} times in a word. A longer text gives more.",
                      tokenizer.vocab_size(), options_.vocab_size, options_.min_count));
    }
    context.out << fmt::format(
        "Trained on {} of text: {} tokens (256 bytes, {} merges, {} special).\n"
        "This text has {} {}, {}.\n"
        "Written to {}: tokenizer.json, tokenizer_config.json, special_tokens_map.json\n\n"
        "To use it: mneme tokenize encode --tokenizer {} \"Hello world\"\n",
        bytes_text(static_cast<double>(bytes)), tokenizer.vocab_size(), tokenizer.num_merges(),
        options_.special_tokens.size(), count, count == 1 ? "token" : "tokens", per_token(bytes, count), name,
        shell_path(folder_.string()));
  }

  std::vector<std::string> files_;
  std::string field_;
  fs::path folder_ = "tokenizer";
  tokens::TrainBpeOptions options_;
};

class Encode {
public:
  void declare(Arguments& arguments) {
    text_option_ =
        arguments.add_option("TEXT", text_, "Text to encode; without TEXT and --text, standard input");
    text_option_->type_name("TEXT");
    add_text_option(arguments, files_.paths, kTextHelp);
    add_field_option(arguments, files_.field);
    add_content_option(arguments, files_.content);
    add_tokenizer_option(arguments, tokenizer_);
    arguments.add_flag(
        "--parse-special", parse_special_,
        "Special tokens in the text, such as <|endoftext|>, become their ids; otherwise they are plain text");
    arguments.add_flag(
        "--add-special", add_special_,
        "Add the tokens that the tokenizer puts around a text, such as <|begin_of_text|> of Llama 3");
    add_out_option(arguments, out_, "FILE", "Write a token file, for training, instead of printing ids");
    arguments.footer(
        "Prints the ids of every document on one line.\n"
        "In a token file, the end-of-text token separates the files of --text; they are joined if the "
        "tokenizer\n"
        "has none. With --field, each document ends with this token, or with a line feed.");
  }

  ExitCode run(Context& context) {
    const Tokenizer tokenizer = tokenizer_named(tokenizer_);
    const bool has_text = text_option_->count() > 0;
    if (has_text && !files_.paths.empty()) {
      throw UsageError("TEXT and --text cannot be combined.\n  Leave out one of them.");
    }
    if (has_text && !files_.field.empty()) {
      throw UsageError("--field is for files of JSON Lines.\n  Name them with --text instead of TEXT.");
    }
    if (!has_text && files_.paths.empty()) {
      require_standard_input("Give a TEXT, name files with --text, or pipe a text to standard input.");
      files_.paths = {"-"};
    }
    if (has_text) {
      std::error_code not_a_path;
      if (std::filesystem::is_regular_file(text_, not_a_path)) {
        context.progress.message(
            fmt::format("The text \"{0}\" itself is encoded. To encode the file of this name: --text {0}",
                        printable(text_)));
      }
    }
    if (raw_type_of(files_.content) && out_.empty()) {
      throw UsageError(
          fmt::format("--token-type {}: a file of ids is converted to a token file.\n  Name it with "
                      "--out, or print ids as text with `mneme tokenize decode`.",
                      name_of(files_.content)));
    }
    files_.paths = expanded(files_.paths);
    if (!out_.empty()) {
      require_replaceable({.option = "--out",
                           .path = out_,
                           .inputs = {files_.paths.begin(), files_.paths.end()},
                           .kind = "a token file",
                           .is_of_kind = has_tokens});
      write(context, tokenizer, has_text);
    } else {
      print(context, tokenizer, has_text);
    }
    return ExitCode::ok;
  }

private:
  tokens::EncodeOptions options() const {
    return {.parse_special = parse_special_, .add_special = add_special_};
  }

  void write(Context& context, const Tokenizer& tokenizer, bool has_text) const {
    tokens::TokenFileWriter writer(tokenizer);
    const auto add = [&writer](std::span<const int32_t> ids) { writer.add(ids); };
    if (has_text) {
      tokenizer.encode_blocks(text_, options(), add);
    } else {
      encode_files(files_, tokenizer, options(), "", context.progress, add);
    }
    writer.write(out_);
    report(context, tokenizer, writer);
  }

  void print(Context& context, const Tokenizer& tokenizer, bool has_text) const {
    nlohmann::ordered_json documents = nlohmann::ordered_json::array();
    const auto add = [&](std::string_view text) {
      const std::vector<int32_t> ids = tokenizer.encode(text, options());
      if (context.options.json) {
        nlohmann::ordered_json written = nlohmann::ordered_json::array();
        std::ranges::transform(ids, std::back_inserter(written),
                               [&](int32_t id) { return tokenizer.token_text(id); });
        documents.push_back({{"bytes", text.size()}, {"ids", ids}, {"tokens", std::move(written)}});
      } else {
        context.out << fmt::format("{}\n", fmt::join(ids, " "));
      }
    };
    if (has_text) {
      add(text_);
    }
    for (const std::string& file : files_.paths) {
      throw_if_interrupted();
      std::ranges::for_each(Documents(file, files_.field).texts(), add);
    }
    if (context.options.json) {
      print_json(context.out, {{"tokenizer", printable(tokenizer_)},
                               {"vocab_size", tokenizer.vocab_size()},
                               {"documents", std::move(documents)}});
    }
  }

  void report(Context& context, const Tokenizer& tokenizer, const tokens::TokenFileWriter& writer) const {
    const std::string path = printable(out_.string());
    if (context.options.json) {
      print_json(context.out, {{"token_file", path},
                               {"tokenizer", printable(tokenizer_)},
                               {"vocab_size", tokenizer.vocab_size()},
                               {"tokens", writer.num_tokens()},
                               {"text_bytes", writer.text_bytes()}});
      return;
    }
    const std::string joined = files_.paths.empty() ? "" : joined_text(files_, tokenizer);
    context.out << fmt::format("Written to {}: {} tokens of {} of text{}, {}, {} bytes each.\n", path,
                               writer.num_tokens(), bytes_text(static_cast<double>(writer.text_bytes())),
                               joined.empty() ? "" : fmt::format(" ({})", joined),
                               per_token(writer.text_bytes(), writer.num_tokens()),
                               tokenizer.vocab_size() <= 65536 ? 2 : 4);
  }

  fs::path out_;
  std::string text_, tokenizer_ = kBytes;
  Option* text_option_ = nullptr; ///< an empty text is a text, too
  TextFiles files_;
  bool parse_special_ = false, add_special_ = false;
};

class Decode {
public:
  void declare(Arguments& arguments) {
    arguments
        .add_option("ID", ids_,
                    "Ids to decode; without ID and --tokens, ids on standard input, separated by white space")
        ->type_name("N");
    arguments.add_option("--tokens", file_, "Token file of mneme, llm.c or nanoGPT")->type_name("FILE");
    add_content_option(arguments, content_, false);
    add_tokenizer_option(arguments, tokenizer_);
    add_out_option(arguments, out_, "FILE", "Write the text to this file");
    arguments.footer(
        "Prints the bytes of the text; they are followed by a line feed only if the ids are arguments.");
  }

  ExitCode run(Context& context) {
    const Tokenizer tokenizer = tokenizer_named(tokenizer_);
    if (!out_.empty()) { // an existing text is compared with the new one below
      require_writable(out_, OutputKind::file);
      require_other_file("--out", out_, {file_});
    }
    if (!ids_.empty() && !file_.empty()) {
      throw UsageError("ID and --tokens cannot be combined.\n  Leave out one of them.");
    }
    if (content_ != FileContent::automatic && file_.empty()) {
      throw UsageError("--token-type is the type of the ids in a file.\n  Name the file with --tokens.");
    }
    std::string text;
    if (!file_.empty()) {
      text = decode_file(tokenizer);
    } else if (!ids_.empty()) {
      text = tokenizer.decode(parse(fmt::format("{}", fmt::join(ids_, " ")), "ID"));
    } else {
      require_standard_input("Give ids, name a token file with --tokens, or pipe ids to standard input.");
      text = tokenizer.decode(parse(Documents("-", "").texts().front(), "standard input"));
    }
    if (!out_.empty()) {
      require_replaceable({.option = "--out",
                           .path = out_,
                           .kind = "the decoded text",
                           .is_of_kind = [&](const fs::path& file) { return has_content(file, text); }});
      write_file_atomically(out_, text);
      const std::string path = printable(out_.string());
      if (context.options.json) {
        print_json(context.out, {{"written", path}, {"bytes", text.size()}});
      } else {
        context.out << fmt::format("Written to {}: {} bytes\n", path, text.size());
      }
    } else if (context.options.json) {
      print_json(context.out, {{"tokenizer", printable(tokenizer_)}, {"bytes", text.size()}, {"text", text}});
    } else {
      context.out << text << (ids_.empty() ? "" : "\n");
    }
    return ExitCode::ok;
  }

private:
  static bool has_content(const fs::path& file, std::string_view text) {
    const std::vector<std::byte> bytes = data::read_file(file);
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == text;
  }

  std::string decode_file(const Tokenizer& tokenizer) const {
    const TokenFile file(file_, raw_type_of(content_));
    file.require_vocabulary(tokenizer);
    std::vector<int32_t> ids(size_t{1} << 16);
    std::string text;
    for (int64_t first = 0; first < file.size(); first += static_cast<int64_t>(ids.size())) {
      throw_if_interrupted();
      const auto count = std::min(static_cast<int64_t>(ids.size()), file.size() - first);
      const std::span<int32_t> block(ids.data(), static_cast<size_t>(count));
      file.read(first, block);
      text += tokenizer.decode(block);
    }
    return text;
  }

  /// Ids that are separated by white space or commas.
  static std::vector<int32_t> parse(std::string_view text, const char* name) {
    constexpr const char* kSeparators = " \t\r\n,";
    std::vector<int32_t> ids;
    for (size_t begin = text.find_first_not_of(kSeparators); begin != std::string_view::npos;) {
      const size_t end = std::min(text.find_first_of(kSeparators, begin), text.size());
      ids.push_back(static_cast<int32_t>(parse_integer(
          name, text.substr(begin, end - begin), {.min = 0, .max = std::numeric_limits<int32_t>::max()})));
      begin = text.find_first_not_of(kSeparators, end);
    }
    return ids;
  }

  fs::path out_;
  std::vector<std::string> ids_;
  std::string file_, tokenizer_ = kBytes;
  FileContent content_ = FileContent::automatic;
};

class Info {
public:
  void declare(Arguments& arguments) {
    arguments.add_option("PATH", path_, "Tokenizer (as --tokenizer of encode), or a token file")
        ->type_name("PATH")
        ->capture_default_str();
    arguments.add_option("--sample", sample_, "Text to split into pieces and tokens")->type_name("TEXT");
    add_content_option(arguments, content_, false);
  }

  ExitCode run(Context& context) {
    if (has_tokens(path_) || content_ != FileContent::automatic) {
      if (!sample_.empty()) {
        throw UsageError("--sample is split by a tokenizer, but PATH is a token file.\n  Name a tokenizer.");
      }
      print_token_file_info(context, TokenFile(path_, raw_type_of(content_)), path_);
    } else {
      print_tokenizer_info(context, tokenizer_named(path_), path_, sample_.empty() ? kSample : sample_);
    }
    return ExitCode::ok;
  }

private:
  std::string path_ = kBytes, sample_;
  FileContent content_ = FileContent::automatic;
};

class Tokenize : public Verb {
public:
  std::string name() const override { return "tokenize"; }
  std::string summary() const override { return "train tokenizers; convert texts into token ids and back"; }
  bool writes_files() const override { return false; } // each subcommand has its own --out, or none
  bool uses_seed(const Arguments&) const override { return false; }

  void declare(Arguments& arguments) override {
    train_app_ = arguments.add_subcommand("train", "learn a vocabulary from text files (byte-level BPE)");
    train_.declare(*train_app_);
    encode_app_ =
        arguments.add_subcommand("encode", "convert a text into token ids, printed or in a token file");
    encode_.declare(*encode_app_);
    decode_app_ = arguments.add_subcommand("decode", "convert token ids into text");
    decode_.declare(*decode_app_);
    info_app_ = arguments.add_subcommand("info", "describe a tokenizer, with a sample, or a token file");
    info_.declare(*info_app_);
    arguments.footer("For example:\n"
                     "  mneme tokenize encode \"Hello world\"\n"
                     "  mneme tokenize train --text book.txt --vocab-size 4096 --out book-tokens\n"
                     "  mneme tokenize info book-tokens");
  }

  ExitCode run(Context& context) override {
    return train_app_->parsed()    ? train_.run(context)
           : encode_app_->parsed() ? encode_.run(context)
           : decode_app_->parsed() ? decode_.run(context)
                                   : info_.run(context);
  }

private:
  Arguments *train_app_ = nullptr, *encode_app_ = nullptr, *decode_app_ = nullptr, *info_app_ = nullptr;
  Train train_;
  Encode encode_;
  Decode decode_;
  Info info_;
};

} // namespace

std::unique_ptr<Verb> make_tokenize() {
  return std::make_unique<Tokenize>();
}

} // namespace mneme::cli
