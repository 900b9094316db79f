// SPDX-License-Identifier: MIT

/// Connection to an SQLite database and its statements. Errors of SQLite become DataError or OutputError that
/// names the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace mneme::store {

enum class OpenMode { create, write, read, immutable };

class Database;

/// Prepared statement.
class Statement {
public:
  Statement(const Database& database, const char* sql);

  Statement& bind(int index, int64_t value);
  /// The texts and bytes must exist until the statement has run.
  Statement& bind_text(int index, const std::optional<std::string_view>& text);
  Statement& bind_blob(int index, const std::optional<std::string_view>& bytes);

  bool step(); ///< true if there is a row
  void run();  ///< for statements without rows; resets
  void reset();

  /// Errors  DataError if the column of the row has another type
  int64_t integer(int column) const;
  std::optional<std::string_view> text(int column) const; ///< valid until the next step
  std::optional<std::string_view> blob(int column) const;

private:
  [[noreturn]] void wrong_type(int column, const char* expected) const;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
public:
  Database(const std::filesystem::path& path, OpenMode mode, const char* vfs);

  const std::filesystem::path& path() const { return path_; }
  sqlite3* handle() const { return connection_.get(); }

  void run(const std::string& sql) const;
  int64_t integer(const std::string& sql) const; ///< first column of the only row
  int64_t changes() const;                       ///< rows that the last statement changed
  bool in_transaction() const;
  /// Empties memory.sqlite-wal; false if a reader prevents it.
  bool truncate_wal() const;

  [[noreturn]] void fail(int code, const char* action) const;

private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// Transaction that is rolled back by the destructor unless it was committed.
class Transaction {
public:
  enum class Kind { read, write };
  Transaction(const Database& database, Kind kind);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

private:
  const Database& database_;
};

} // namespace mneme::store
