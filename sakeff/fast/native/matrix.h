// Products with small weight matrices on rows that are in the cache.
//
// Matrix libraries are tuned for large products and, on some processors, for narrower vectors than the processor has:
// on an AVX-512 processor this is 2.5 times as fast as the library that torch calls for the shapes that occur here.
#pragma once

#include <cstdint>
#include <type_traits>

namespace sakeff {

// Accumulators of one tile, TILE_ROWS x TILE_VECTORS, must fit the vector registers beside one row of vectors of b.
#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, TILE_VECTORS = 4;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, TILE_VECTORS = 2;
#else
constexpr int VECTOR_BYTES = 16, TILE_VECTORS = 2;
#endif
constexpr int TILE_ROWS = 6;

// The rows of weight matrices are padded with zeros to a multiple of this (sakeff/fast/matrices.py), which is one of
// the lanes of every vector above.
constexpr int64_t PADDING = 16;

constexpr int64_t padded(int64_t columns) { return (columns + PADDING - 1) / PADDING * PADDING; }

// A vector of the compiler, at any address.
template <typename scalar>
struct Vector {
  typedef scalar type __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(scalar)), may_alias));
  static constexpr int lanes = VECTOR_BYTES / sizeof(scalar);
};

// A matrix in memory: row r starts at data + r * stride.
template <typename scalar>
struct Rows {
  scalar* data;
  int64_t stride;

  Rows(scalar* data_, int64_t stride_) : data(data_), stride(stride_) {}
  // Rows that may be changed can be read.
  template <typename other, typename = std::enable_if_t<std::is_convertible_v<other*, scalar*>>>
  Rows(const Rows<other>& rows) : data(rows.data), stride(rows.stride) {}

  scalar* operator[](int64_t row) const { return data + row * stride; }
  scalar& operator()(int64_t row, int64_t column) const { return data[row * stride + column]; }
  Rows<scalar> from_row(int64_t row) const { return {data + row * stride, stride}; }
  Rows<scalar> from_column(int64_t column) const { return {data + column, stride}; }
};

// The transpose of a matrix in memory: column c starts at data + c * stride.
template <typename scalar>
struct Columns {
  scalar* data;
  int64_t stride;

  scalar& operator()(int64_t row, int64_t column) const { return data[column * stride + row]; }
  Columns<scalar> from_row(int64_t row) const { return {data + row, stride}; }
  Columns<scalar> from_column(int64_t column) const { return {data + column * stride, stride}; }
};

template <typename scalar, int rows, int vectors, typename Left>
inline void multiply_tile(Left a, const scalar* b, int64_t stride_b, int64_t inner, Rows<scalar> c,
                          bool add) {
  using vector = typename Vector<scalar>::type;
  constexpr int lanes = Vector<scalar>::lanes;
  vector sum[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) sum[r][v] = add ? *reinterpret_cast<const vector*>(c[r] + v * lanes) : vector{};
  for (int64_t k = 0; k < inner; ++k) {
    vector row[vectors];
    for (int v = 0; v < vectors; ++v) row[v] = *reinterpret_cast<const vector*>(b + k * stride_b + v * lanes);
    for (int r = 0; r < rows; ++r) {
      const scalar x = a(r, k);
      for (int v = 0; v < vectors; ++v) sum[r][v] += x * row[v];
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) *reinterpret_cast<vector*>(c[r] + v * lanes) = sum[r][v];
}

template <typename scalar, int vectors, typename Left>
void multiply_columns(Left a, int64_t rows, const scalar* b, int64_t stride_b, int64_t inner,
                      Rows<scalar> c, bool add) {
  int64_t r = 0;
  for (; r + TILE_ROWS <= rows; r += TILE_ROWS)
    multiply_tile<scalar, TILE_ROWS, vectors>(a.from_row(r), b, stride_b, inner, c.from_row(r), add);
  const Left rest_a = a.from_row(r);
  const Rows<scalar> rest_c = c.from_row(r);
  switch (rows - r) {
    case 5: return multiply_tile<scalar, 5, vectors>(rest_a, b, stride_b, inner, rest_c, add);
    case 4: return multiply_tile<scalar, 4, vectors>(rest_a, b, stride_b, inner, rest_c, add);
    case 3: return multiply_tile<scalar, 3, vectors>(rest_a, b, stride_b, inner, rest_c, add);
    case 2: return multiply_tile<scalar, 2, vectors>(rest_a, b, stride_b, inner, rest_c, add);
    case 1: return multiply_tile<scalar, 1, vectors>(rest_a, b, stride_b, inner, rest_c, add);
    default: return;
  }
}

// c = a b, or c += a b: (rows, inner) times (inner, columns); columns is a multiple of PADDING, a of Rows or Columns.
template <typename scalar, typename Left>
void multiply(Left a, int64_t rows, Rows<const scalar> b, int64_t inner, int64_t columns, Rows<scalar> c, bool add) {
  constexpr int64_t lanes = Vector<scalar>::lanes;
  int64_t n = 0;
  for (; n + TILE_VECTORS * lanes <= columns; n += TILE_VECTORS * lanes)
    multiply_columns<scalar, TILE_VECTORS>(a, rows, b.data + n, b.stride, inner, c.from_column(n), add);
  for (; n + 2 * lanes <= columns; n += 2 * lanes)
    multiply_columns<scalar, 2>(a, rows, b.data + n, b.stride, inner, c.from_column(n), add);
  for (; n + lanes <= columns; n += lanes)
    multiply_columns<scalar, 1>(a, rows, b.data + n, b.stride, inner, c.from_column(n), add);
}

// The same for a contiguous b.
template <typename scalar>
void multiply(Rows<const scalar> a, int64_t rows, const scalar* b, int64_t inner, int64_t columns, Rows<scalar> c,
              bool add = false) {
  multiply<scalar>(a, rows, Rows<const scalar>{b, columns}, inner, columns, c, add);
}

// Every row of c becomes the bias (columns).
template <typename scalar>
void fill_rows(const scalar* bias, int64_t columns, int64_t rows, Rows<scalar> c) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t n = 0; n < columns; ++n) c[r][n] = bias[n];
}

}  // namespace sakeff
