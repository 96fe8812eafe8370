// Work in blocks that fit the cache, shared among threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sakeff {

using at::Tensor;

// Edges per block: long enough for efficient matrix products (whole tiles of matrix.h), short enough that a block stays
// in the second-level cache.
constexpr int64_t BLOCK = 126;
// Fewer edges, or atoms, than this are not worth a thread.
constexpr int64_t EDGE_GRAIN = 64;
constexpr int64_t ATOM_GRAIN = 32;

constexpr int64_t MOST_CHUNKS = 16;

inline int64_t n_chunks(int64_t rows, int64_t grain) {
  return std::max<int64_t>(1, std::min<int64_t>({at::get_num_threads(), rows / grain, MOST_CHUNKS}));
}

// Contiguous ranges [starts[c], starts[c + 1]) of nearly equal length, one for each thread.
inline std::vector<int64_t> even_starts(int64_t rows, int64_t chunks) {
  std::vector<int64_t> starts(chunks + 1);
  for (int64_t c = 0; c <= chunks; ++c) starts[c] = rows * c / chunks;
  return starts;
}

// Calls body(chunk, begin, end) in parallel; no gradients are recorded inside.
template <typename Body>
void for_chunks(const std::vector<int64_t>& starts, const Body& body) {
  at::parallel_for(0, static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t first, int64_t last) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    for (int64_t c = first; c < last; ++c) body(c, starts[c], starts[c + 1]);
  });
}

// Called by every backward: its own gradient does not exist, and would silently be missing from a second derivative.
inline void check_differentiated_once() {
  TORCH_CHECK(!at::GradMode::is_enabled(),
              "The C++ operators can be differentiated only once; use kernels='torch' or 'reference' for second "
              "derivatives.");
}

// Calls body(begin, end) for ranges of atoms, each a block of rows, in parallel.
template <typename Body>
void for_atoms(int64_t n_atoms, const Body& body) {
  for_chunks(even_starts(n_atoms, n_chunks(n_atoms, ATOM_GRAIN)), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += BLOCK) body(first, std::min(first + BLOCK, end));
  });
}

// An array for one call. Large ones ask for large pages: the C library returns them to the system at once, and asking
// for them again page by page would take as long as using them.
inline Tensor scratch(at::IntArrayRef shape, const at::TensorOptions& options) {
  Tensor array = at::empty(shape, options);
#ifdef __linux__
  constexpr uintptr_t page = uintptr_t{1} << 21;
  const uintptr_t start = reinterpret_cast<uintptr_t>(array.data_ptr());
  const uintptr_t first = (start + page - 1) / page * page, last = (start + array.nbytes()) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
  return array;
}

// Rows that several threads add to: each chunk has its own copy, and the copies are summed in order, so that results do
// not depend on the timing of threads, only on their number. MOST_CHUNKS bounds the memory of the copies.
class Accumulator {
 public:
  Accumulator(int64_t chunks, at::IntArrayRef shape, const at::TensorOptions& options) {
    for (int64_t c = 0; c < chunks; ++c) copies_.push_back(scratch(shape, options).zero_());
  }

  // The first copy starts with these values.
  Accumulator(int64_t chunks, const Tensor& start) : Accumulator(chunks - 1, start.sizes(), start.options()) {
    const Tensor first = scratch(start.sizes(), start.options()).copy_(start);
    copies_.insert(copies_.begin(), first);
  }

  template <typename scalar>
  scalar* data(int64_t chunk) const {
    return copies_[chunk].template mutable_data_ptr<scalar>();
  }

  Tensor total() const {
    Tensor sum = copies_[0];
    for (size_t c = 1; c < copies_.size(); ++c) sum.add_(copies_[c]);
    return sum;
  }

 private:
  std::vector<Tensor> copies_;
};

}  // namespace sakeff
