// SPDX-License-Identifier: MIT

#include "nn/association_inputs.h"

#include <ATen/Functions.h>

#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

std::string shape_of(const AssociationInput& input) {
  return c10::str(input.name, " (shape ", input.tensor.sizes(), ")");
}

bool is_bool_or_byte(const at::Tensor& mask) {
  return mask.scalar_type() == at::kBool || mask.scalar_type() == at::kByte;
}

/// Batch and length of the inputs of one call.
class Sizes {
public:
  explicit Sizes(const AssociationInputs& inputs)
      : in_(inputs), batch_dim_(inputs.batch_first ? 0 : 1), length_dim_(1 - batch_dim_) {}

  int64_t batch_of(const AssociationInput& input) const { return input.tensor.size(batch_dim_); }
  int64_t length_of(const AssociationInput& input) const { return input.tensor.size(length_dim_); }
  int64_t batch() const {
    for (const AssociationInput* input : {&in_.state, &in_.stored, &in_.projection}) {
      if (batch_of(*input) != 1) {
        return batch_of(*input);
      }
    }
    return 1;
  }
  int64_t queries() const { return length_of(in_.state); }
  int64_t patterns() const { return length_of(in_.stored); }

private:
  const AssociationInputs& in_;
  int64_t batch_dim_, length_dim_;
};

void check_one(const AssociationInputs& in, const AssociationInput& input) {
  check_shape(in.layer, input.name, input.tensor,
              {in.batch_first ? "batch" : "length", in.batch_first ? "length" : "batch", "features"},
              in.batch_first ? "Call unsqueeze(0) on an input without batch dimension."
                             : "Call unsqueeze(1) on an input without batch dimension.");
  if (!at::isFloatingType(input.tensor.scalar_type())) {
    refuse(in.layer,
           c10::str(input.name, " is of type ", input.tensor.scalar_type(),
                    ", but must be real floating point."),
           "Convert it first, for example to float32.");
  }
  if (input.features && input.tensor.size(2) != *input.features) {
    refuse(in.layer,
           c10::str(shape_of(input), " has ", input.tensor.size(2), " features, but this layer expects ",
                    *input.features, "."),
           "Change the input, or construct the layer with that size.");
  }
}

void check_two(const AssociationInputs& in, const AssociationInput& a, const AssociationInput& b) {
  if (a.tensor.scalar_type() != b.tensor.scalar_type() || a.tensor.device() != b.tensor.device()) {
    refuse(in.layer,
           c10::str(a.name, " is ", a.tensor.scalar_type(), " on ", a.tensor.device(), " but ", b.name,
                    " is ", b.tensor.scalar_type(), " on ", b.tensor.device(), "."),
           "Convert or move one of them.");
  }
}

void check_mask_type(const AssociationInputs& in, const char* name, const at::Tensor& mask, bool numbers) {
  if (!is_bool_or_byte(mask) && !(numbers && at::isFloatingType(mask.scalar_type()))) {
    refuse(in.layer,
           c10::str(name, " is of type ", mask.scalar_type(), ", but must be bool or uint8",
                    numbers ? ", or floating point to be added to the scores." : "."),
           "Convert it: true means that a stored pattern is ignored.");
  }
  if (mask.device() != in.state.tensor.device()) {
    refuse(in.layer,
           c10::str(name, " is on ", mask.device(), " but ", in.state.name, " is on ",
                    in.state.tensor.device(), "."),
           "Move one of them.");
  }
}

void check_masks(const AssociationInputs& in, const Sizes& sizes) {
  const int64_t n = sizes.batch(), l = sizes.queries(), s = sizes.patterns(), h = in.num_heads;
  if (in.key_padding_mask.defined()) {
    check_mask_type(in, in.key_padding_mask_name, in.key_padding_mask, false);
    check_shape(in.layer, in.key_padding_mask_name, in.key_padding_mask, {n, s},
                "Give one row per entry of the batch, with one element per stored pattern.");
  }
  if (in.attention_mask.defined()) {
    check_mask_type(in, in.attention_mask_name, in.attention_mask, true);
    if (in.attention_mask.sizes() != at::IntArrayRef{l, s} &&
        in.attention_mask.sizes() != at::IntArrayRef{n * h, l, s}) {
      refuse(in.layer,
             c10::str(in.attention_mask_name, " has shape ", in.attention_mask.sizes(), ", but [", l, ", ", s,
                      "] or [", n * h, ", ", l, ", ", s, "] is needed."),
             "Give one mask for all heads, or one per batch entry n and head h, at n * num_heads + h.");
    }
  }
}

/// Such as "key holds nan at [0, 3, 2]", for the first element that is true in `wrong`.
std::string first_wrong(const char* name, const at::Tensor& tensor, const at::Tensor& wrong) {
  const at::Tensor position = wrong.nonzero()[0];
  std::vector<int64_t> index(static_cast<size_t>(position.numel()));
  for (size_t i = 0; i < index.size(); ++i) {
    index[i] = position[static_cast<int64_t>(i)].item<int64_t>();
  }
  double number = 0;
  at::Tensor rest = tensor.detach();
  for (const int64_t i : index) {
    rest = rest[i];
  }
  number = rest.item<double>();
  return c10::str(name, " holds ", number, " at [", c10::Join(", ", index), "]");
}

/// Empty if all numbers are finite.
std::string first_not_finite(const char* name, const at::Tensor& tensor) {
  return !tensor.defined() || all_finite(tensor)
             ? ""
             : first_wrong(name, tensor, at::isfinite(tensor).logical_not());
}

void check_finite(const AssociationInputs& in) {
  for (const AssociationInput* input : {&in.stored, &in.state, &in.projection}) {
    if (input != &in.stored && input->tensor.is_same(in.stored.tensor)) {
      continue;
    }
    if (const std::string found = first_not_finite(input->name, input->tensor); !found.empty()) {
      refuse(in.layer, found + ", but all numbers must be finite.",
             "Remove or correct that pattern; padding must be finite as well, for example 0.");
    }
  }
}

/// -infinity is a mask; NaN and +infinity make the association NaN.
void check_attention_mask_numbers(const AssociationInputs& in) {
  const at::Tensor& mask = in.attention_mask;
  if (!mask.defined() || is_bool_or_byte(mask)) {
    return;
  }
  const at::Tensor wrong = at::isnan(mask).logical_or(at::isposinf(mask));
  if (wrong.any().item<bool>()) {
    refuse(in.layer,
           first_wrong(in.attention_mask_name, mask, wrong) + ", but its numbers must be finite or -inf.",
           "They are added to the scores; -inf ignores a stored pattern.");
  }
}

} // namespace

void check_inputs(const AssociationInputs& in) {
  // The stored pattern first: in a self-association it is also the state, and the argument that was given.
  for (const AssociationInput* input : {&in.stored, &in.state, &in.projection}) {
    check_one(in, *input);
    check_parameter_type(in.layer, input->name, input->tensor, in.parameter);
  }
  check_two(in, in.state, in.stored);
  check_two(in, in.state, in.projection);
  const Sizes sizes(in);
  for (const AssociationInput* input : {&in.state, &in.stored, &in.projection}) {
    if (sizes.batch_of(*input) != 1 && sizes.batch_of(*input) != sizes.batch()) {
      refuse(in.layer,
             c10::str(shape_of(in.state), ", ", shape_of(in.stored), " and ", shape_of(in.projection),
                      " have batch sizes ", sizes.batch_of(in.state), ", ", sizes.batch_of(in.stored),
                      " and ", sizes.batch_of(in.projection), "."),
             "Make the batch sizes equal, or 1.");
    }
  }
  if (sizes.length_of(in.stored) != sizes.length_of(in.projection)) {
    refuse(in.layer,
           c10::str(shape_of(in.stored), " has ", sizes.length_of(in.stored), " patterns but ",
                    shape_of(in.projection), " has ", sizes.length_of(in.projection), "."),
           "Each stored pattern needs one projection.");
  }
  check_masks(in, sizes);
}

void check_masked_inputs(const AssociationInputs& in) {
  if ((in.key_padding_mask.defined() || in.attention_mask.defined()) && in.state.tensor.device().is_cpu()) {
    check_finite(in);
  }
}

void check_output(const AssociationInputs& in, const at::Tensor& output) {
  if (!output.device().is_cpu() || all_finite(output)) {
    return;
  }
  check_finite(in);
  check_attention_mask_numbers(in);
  refuse(in.layer,
         first_not_finite("the output", output) +
             ", although all inputs are finite: a parameter is not, or numbers have become too large.",
         "During training, a smaller learning rate may keep the output finite; float32 represents larger "
         "numbers "
         "than float16.");
}

at::Tensor bool_key_padding_mask(const AssociationInputs& in) {
  return in.key_padding_mask.defined() ? in.key_padding_mask.to(at::kBool) : at::Tensor();
}

at::Tensor attention_mask_by_heads(const AssociationInputs& in, at::ScalarType type) {
  if (!in.attention_mask.defined()) {
    return {};
  }
  const at::Tensor mask = in.attention_mask.to(is_bool_or_byte(in.attention_mask) ? at::kBool : type);
  if (mask.dim() == 2) {
    return mask.view({1, 1, mask.size(0), mask.size(1)});
  }
  return mask.unflatten(0, {Sizes(in).batch(), in.num_heads});
}

} // namespace mneme::nn
