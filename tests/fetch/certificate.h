// SPDX-License-Identifier: MIT

/// Self-signed certificate for 127.0.0.1, generated at run time.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace mneme::testing {

struct Certificate {
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> key;
  std::string pem; ///< for clients that trust it
};

Certificate make_certificate();

} // namespace mneme::testing
