// Work in blocks that fit the cache, shared among threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace sakeff {

using at::Tensor;

// Rows per block: long enough for efficient matrix products, short enough that a block stays in the second-level cache.
constexpr int64_t BLOCK = 128;
// Fewer rows than this are not worth a thread.
constexpr int64_t GRAIN = 256;

inline int64_t n_chunks(int64_t rows) {
  return std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows / GRAIN));
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

// Rows that several threads add to: each chunk has its own copy, and the copies are summed in order, so that results
// do not depend on the timing of threads.
class Accumulator {
 public:
  Accumulator(int64_t chunks, at::IntArrayRef shape, const at::TensorOptions& options) {
    for (int64_t c = 0; c < chunks; ++c) copies_.push_back(at::zeros(shape, options));
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
