// Two linear maps with SiLU in between, on rows: nn.mlp.make_mlp of three sizes.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "blocks.h"
#include "functions.h"
#include "matrix.h"

namespace sakeff {

using at::Tensor;

// A linear map y = W x + b, with its matrix in both directions and padded: sakeff/fast/matrices.py, both_ways.
struct LinearMap {
  Tensor forward;   // (in, padded out)
  Tensor backward;  // (out, padded in)

  int64_t in() const { return forward.size(0); }
  int64_t out() const { return backward.size(0); }

  // y (rows, padded out), or added to what is there.
  template <typename scalar>
  void apply(Rows<const scalar> x, int64_t rows, Rows<scalar> y, bool add = false) const {
    multiply<scalar>(x, rows, forward.const_data_ptr<scalar>(), in(), forward.size(1), y, add);
  }

  // x (rows, padded in): the gradient with respect to the input, or added to what is there.
  template <typename scalar>
  void pull_back(Rows<const scalar> by_y, int64_t rows, Rows<scalar> by_x, bool add = false) const {
    multiply<scalar>(by_y, rows, backward.const_data_ptr<scalar>(), out(), backward.size(1), by_x, add);
  }
};

// to (N, in) gains the gradient that by_y (N, padded out) has for the input of a map.
template <typename scalar>
void add_pulled_back(const LinearMap& map, const Tensor& by_y, const Tensor& to) {
  const Rows<const scalar> from{by_y.const_data_ptr<scalar>(), by_y.size(1)};
  const Rows<scalar> sum{to.mutable_data_ptr<scalar>(), to.size(1)};
  for_atoms(to.size(0), [&](int64_t begin, int64_t end) {
    const int64_t stride = map.backward.size(1);
    std::vector<scalar> part((end - begin) * stride);
    map.pull_back<scalar>({from[begin], from.stride}, end - begin, {part.data(), stride});
    for (int64_t i = begin; i < end; ++i)
      for (int64_t f = 0; f < sum.stride; ++f) sum[i][f] += part[(i - begin) * stride + f];
  });
}

struct Network {
  LinearMap first, second;
  Tensor first_bias;   // (padded hidden)
  Tensor second_bias;  // (padded out)

  static constexpr size_t n_tensors = 6;
  explicit Network(const Tensor* t) : first{t[0], t[1]}, second{t[3], t[4]}, first_bias(t[2]), second_bias(t[5]) {}

  int64_t hidden() const { return first_bias.size(0); }
  int64_t out() const { return second_bias.size(0); }

  // before (rows, hidden) is what SiLU sees and what pull_back needs; y is (rows, padded out).
  template <typename scalar>
  void apply(Rows<const scalar> x, int64_t rows, scalar* before, Rows<scalar> y) const {
    const int64_t n = hidden();
    fill_rows(first_bias.const_data_ptr<scalar>(), n, rows, Rows<scalar>{before, n});
    first.apply<scalar>(x, rows, {before, n}, true);
    std::vector<scalar> after(rows * n);
    for (int64_t i = 0; i < rows * n; ++i) after[i] = silu(before[i]);
    fill_rows(second_bias.const_data_ptr<scalar>(), out(), rows, y);
    second.apply<scalar>({after.data(), n}, rows, y, true);
  }

  // by_x is (rows, padded in).
  template <typename scalar>
  void pull_back(Rows<const scalar> by_y, int64_t rows, const scalar* before, Rows<scalar> by_x) const {
    const int64_t n = hidden();
    std::vector<scalar> by_hidden(rows * n);
    second.pull_back<scalar>(by_y, rows, {by_hidden.data(), n});
    for (int64_t i = 0; i < rows * n; ++i) by_hidden[i] *= silu_slope(before[i]);
    first.pull_back<scalar>({by_hidden.data(), n}, rows, by_x);
  }
};

}  // namespace sakeff
