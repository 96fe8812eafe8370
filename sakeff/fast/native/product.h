// Two operators that a training step calls hundreds of times: the product of two matrices with 10 to 100 columns, and
// sums of rows. Both stand in graphs that hold their gradients already, so autograd does not know them.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "matrix.h"

namespace sakeff {

// Rows of b that stay in the second-level cache beside the tile rows of a and c.
constexpr int64_t INNER_BLOCK = 384;
// Multiplications that are worth a thread.
constexpr int64_t PRODUCT_GRAIN = 1 << 17;

// b with rows that multiply() can read: contiguous and padded with zeros, or b itself.
template <typename scalar>
at::Tensor with_padded_rows(const at::Tensor& b) {
  if (b.stride(1) == 1 && b.size(1) % PADDING == 0) return b;
  at::Tensor out = at::zeros({b.size(0), padded(b.size(1))}, b.options());
  out.narrow(1, 0, b.size(1)).copy_(b);
  return out;
}

template <typename scalar, typename Left>
void multiply_blocks(Left a, const at::Tensor& b, at::Tensor& c) {
  const int64_t rows = c.size(0), inner = b.size(0), columns = b.size(1);
  const Rows<const scalar> right{b.const_data_ptr<scalar>(), b.stride(0)};
  const Rows<scalar> out{c.mutable_data_ptr<scalar>(), columns};
  const int64_t work = std::max<int64_t>(inner * columns, 1);
  const int64_t grain = (PRODUCT_GRAIN / work / TILE_ROWS + 1) * TILE_ROWS;
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t k = 0; k < inner; k += INNER_BLOCK)
      multiply<scalar>(a.from_row(begin).from_column(k), end - begin, right.from_row(k),
                       std::min(INNER_BLOCK, inner - k), columns, out.from_row(begin), k > 0);
  });
}

// a b, (rows, inner) times (inner, columns), for matrices of any layout.
template <typename scalar>
at::Tensor product_of(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor right = with_padded_rows<scalar>(b);
  at::Tensor c = at::empty({a.size(0), right.size(1)}, a.options());
  if (b.size(0) == 0) c.zero_();
  if (a.stride(0) == 1 && a.stride(1) != 1) {
    multiply_blocks<scalar>(Columns<const scalar>{a.const_data_ptr<scalar>(), a.stride(1)}, right, c);
  } else {
    const at::Tensor left = a.stride(1) == 1 ? a : a.contiguous();
    multiply_blocks<scalar>(Rows<const scalar>{left.const_data_ptr<scalar>(), left.stride(0)}, right, c);
  }
  return right.size(1) == b.size(1) ? c : c.narrow(1, 0, b.size(1)).contiguous();
}

inline at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "matrices of shapes ", a.sizes(), " and ",
              b.sizes(), " have no product");
  TORCH_CHECK(a.scalar_type() == b.scalar_type(), "matrices of two data types have no product");
  return a.scalar_type() == at::kDouble ? product_of<double>(a, b) : product_of<float>(a, b);
}

template <typename scalar>
at::Tensor row_sums_of(const at::Tensor& values, const at::Tensor& index, int64_t rows) {
  auto shape = values.sizes().vec();
  shape[0] = rows;
  at::Tensor out = at::zeros(shape, values.options());
  const at::Tensor flat = values.contiguous(), where = index.contiguous();
  const int64_t length = values.size(0) == 0 ? 0 : flat.numel() / values.size(0);
  const scalar* from = flat.const_data_ptr<scalar>();
  const int64_t* row = where.const_data_ptr<int64_t>();
  scalar* sums = out.mutable_data_ptr<scalar>();
  for (int64_t e = 0; e < values.size(0); ++e) {
    TORCH_CHECK_INDEX(0 <= row[e] && row[e] < rows, "there is no row ", row[e], " among ", rows);
    scalar* to = sums + row[e] * length;
    const scalar* value = from + e * length;
    for (int64_t k = 0; k < length; ++k) to[k] += value[k];
  }
  return out;
}

// out[index[e]] += values[e], (rows, ...), from values (E, ...) and index (E,).
inline at::Tensor row_sums(const at::Tensor& values, const at::Tensor& index, int64_t rows) {
  TORCH_CHECK(index.dim() == 1 && values.dim() >= 1 && index.size(0) == values.size(0),
              "every row of values needs one index");
  return values.scalar_type() == at::kDouble ? row_sums_of<double>(values, index, rows)
                                             : row_sums_of<float>(values, index, rows);
}

}  // namespace sakeff
