// SPDX-License-Identifier: MIT
// ctlm: the weights of a model from whatever its files are.
#pragma once

#include "load_gguf.hpp"
#include "load_safetensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// load_gguf for a file that ends in ".gguf", load_safetensors for everything else: a file, an index, a folder.
template <class M, executor E>
result<void> load_weights(const char* path, const typename M::weights& weights, E& exec,
                          tensor_report* report = nullptr) {
  if (std::string_view(path).ends_with(".gguf")) return load_gguf<M>(path, weights, exec, report);
  return load_safetensors<M>(path, weights, exec, report);
}

}}  // namespace ctlm
