// SPDX-License-Identifier: MIT

#include "store/sqlite.h"

#include <new>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"

namespace mneme::store {
namespace {

constexpr int kBusyMilliseconds = 800; // a second writer is refused within a second
// Between checks for an interrupt: a few milliseconds of VACUUM and of integrity checks. Commits have fewer.
constexpr int kInstructionsPerCheck = 10'000;

/// The path as a URI, in which some characters are escaped.
std::string uri_of(const std::filesystem::path& path, const char* query) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      uri += c;
    }
  }
  return uri + query;
}

/// True if writes fail beyond a file size (EFBIG). SQLite does not keep the errno of a failed write.
bool limits_file_sizes() {
  struct rlimit limit {};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

} // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(const Database& database, const char* sql) : database_(&database) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) {
    database.fail(code, "reading the schema");
  }
}

Statement& Statement::bind(int index, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), index, value); code != SQLITE_OK) {
    database_->fail(code, "binding a number");
  }
  return *this;
}

Statement& Statement::bind_text(int index, const std::optional<std::string_view>& text) {
  const int code = text ? sqlite3_bind_text64(statement_.get(), index, text->empty() ? "" : text->data(),
                                              text->size(), SQLITE_STATIC, SQLITE_UTF8)
                        : sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK) {
    database_->fail(code, "binding a text");
  }
  return *this;
}

Statement& Statement::bind_blob(int index, const std::optional<std::string_view>& bytes) {
  // A null pointer would bind NULL instead of no bytes.
  const int code = bytes ? sqlite3_bind_blob64(statement_.get(), index, bytes->empty() ? "" : bytes->data(),
                                               bytes->size(), SQLITE_STATIC)
                         : sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK) {
    database_->fail(code, "binding bytes");
  }
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    const int extended = sqlite3_extended_errcode(database_->handle());
    sqlite3_reset(statement_.get());
    database_->fail(extended, sqlite3_stmt_readonly(statement_.get()) != 0 ? "reading" : "writing");
  }
  return code == SQLITE_ROW;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

int64_t Statement::integer(int column) const {
  if (sqlite3_column_type(statement_.get(), column) != SQLITE_INTEGER) {
    wrong_type(column, "a number");
  }
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::string_view> Statement::text(int column) const {
  const int type = sqlite3_column_type(statement_.get(), column);
  if (type == SQLITE_NULL) {
    return std::nullopt;
  }
  if (type != SQLITE_TEXT) {
    wrong_type(column, "a text");
  }
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (begin == nullptr) {
    throw std::bad_alloc();
  }
  return std::string_view(begin, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::optional<std::string_view> Statement::blob(int column) const {
  const int type = sqlite3_column_type(statement_.get(), column);
  if (type == SQLITE_NULL) {
    return std::nullopt;
  }
  if (type != SQLITE_BLOB) {
    wrong_type(column, "bytes");
  }
  const auto* begin = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (begin == nullptr && size > 0) {
    throw std::bad_alloc();
  }
  return begin == nullptr ? std::string_view("", 0) : std::string_view(begin, size);
}

void Statement::wrong_type(int column, const char* expected) const {
  throw DataError(
      fmt::format("{}: the column {} of a row is not {}, so the file is damaged.\n  Restore it from a "
                  "backup; `mneme memory verify` lists the damage.",
                  printable(database_->path().string()),
                  printable(sqlite3_column_name(statement_.get(), column)), expected));
}

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(const std::filesystem::path& path, OpenMode mode, const char* vfs) : path_(path) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  flags |= mode == OpenMode::create  ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
           : mode == OpenMode::write ? SQLITE_OPEN_READWRITE
                                     : SQLITE_OPEN_READONLY;
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(uri_of(path, mode == OpenMode::immutable ? "?immutable=1" : "").c_str(),
                                   &connection, flags, vfs);
  connection_.reset(connection);
  if (connection == nullptr) {
    throw std::bad_alloc();
  }
  if (code != SQLITE_OK) {
    fail(code, "opening");
  }
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  sqlite3_progress_handler(
      connection, kInstructionsPerCheck, [](void*) { return interrupted() ? 1 : 0; }, nullptr);
  // A hostile file may contain triggers and views, which must not run.
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  run("PRAGMA cell_size_check=ON");
}

void Database::run(const std::string& sql) const {
  if (const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr); code != SQLITE_OK) {
    fail(sqlite3_extended_errcode(handle()), "accessing");
  }
}

int64_t Database::integer(const std::string& sql) const {
  Statement statement(*this, sql.c_str());
  if (!statement.step()) {
    throw DataError(fmt::format("{}: a row is missing, so the file is damaged.\n  Restore it from a backup.",
                                printable(path_.string())));
  }
  return statement.integer(0);
}

int64_t Database::changes() const {
  return sqlite3_changes64(handle());
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

bool Database::truncate_wal() const {
  const int code = sqlite3_wal_checkpoint_v2(handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED) {
    return false;
  }
  if (code != SQLITE_OK) {
    fail(code, "writing");
  }
  return true;
}

void Database::fail(int code, const char* action) const {
  const std::string what =
      fmt::format("{}: {}: {}", printable(path_.string()), action, printable(sqlite3_errmsg(handle())));
  switch (code & 0xFF) {
  case SQLITE_NOMEM:
    throw std::bad_alloc();
  case SQLITE_INTERRUPT: // by the progress handler; the transaction is rolled back
    throw Interrupted();
  case SQLITE_FULL:
    throw OutputError(what +
                      ".\n  Nothing of the failed transaction was stored. Free some space on the disk.");
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    throw OutputError(what +
                      ".\n  Another program has locked the memory, for example an open sqlite3 shell. Close "
                      "it, and try again.");
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_CANTOPEN:
    throw OutputError(what +
                      ".\n  Check that the folder exists and that its files may be opened and written.");
  case SQLITE_TOOBIG:
    throw UsageError(what + ".\n  A pattern with its key, label and payload must be smaller than 1 GB.");
  case SQLITE_IOERR:
    if (code == SQLITE_IOERR_WRITE && limits_file_sizes()) {
      throw OutputError(what +
                        ".\n  Nothing of the failed transaction was stored. The system limits the size of "
                        "files (ulimit -f): raise the limit, or write less. Without this limit, the disk "
                        "reports an error: check it.");
    }
    if (code != SQLITE_IOERR_READ && code != SQLITE_IOERR_SHORT_READ && code != SQLITE_IOERR_CORRUPTFS) {
      throw OutputError(what +
                        ".\n  The disk reports an error. Check it, then open the memory again; what was "
                        "acknowledged before is stored.");
    }
    break;
  default:
    break;
  }
  throw DataError(
      what + ".\n  The file is damaged, or not a memory. `mneme memory verify` lists the damage; restore "
             "the folder from a backup.");
}

Transaction::Transaction(const Database& database, Kind kind) : database_(database) {
  database_.run(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (database_.in_transaction()) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
}

} // namespace mneme::store
