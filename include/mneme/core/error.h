// SPDX-License-Identifier: MIT

/// The kinds of error mneme reports. The library throws them; only the program turns them into exit codes.
///
/// A message says what happened and where, prints both sides of a failed comparison, and ends with how to fix
/// it.
#pragma once

#include <stdexcept>
#include <string>

namespace mneme {

class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The caller asked for something that cannot be: fix the arguments. Exit code 2.
class UsageError : public Error {
public:
  using Error::Error;
};

/// An input file is missing, unreadable, truncated or not what it claims to be. Exit code 3.
class DataError : public Error {
public:
  using Error::Error;
};

/// This build, CPU or machine lacks what was asked for. Exit code 1.
class UnsupportedError : public Error {
public:
  using Error::Error;
};

/// A result could not be written (disk full, no permission). Nothing half written stays behind. Exit code 1.
class OutputError : public Error {
public:
  using Error::Error;
};

/// The work was interrupted (Ctrl-C) and stopped at a safe point. Exit code 130.
class Interrupted : public Error {
public:
  Interrupted();
};

} // namespace mneme
