// cuBLAS: products of matrices in column-major order, with sums in double precision.
#include <algorithm>
#include <cstddef>
#include <vector>

#include "cuda.h"

namespace {

constexpr int SUCCESS = 0;
constexpr int INVALID_VALUE = 7;
constexpr int EXECUTION_FAILED = 13;
constexpr int NOT_SUPPORTED = 15;

// A matrix as it lies in memory: columns one after the other, `stride` elements apart.
template <typename T>
struct Matrix {
    T* elements;
    size_t rows, columns, stride;

    bool is_live(const char* name) const {
        if (rows == 0 || columns == 0) return true;
        const size_t bytes = ((columns - 1) * stride + rows) * sizeof(T);
        const bool live = pvlu_host::is_live(reinterpret_cast<uintptr_t>(elements), bytes);
        if (!live) pvlu_host::tell("cuBLAS: %s, %zu x %zu with stride %zu, is not in one live allocation", name, rows, columns, stride);
        return live;
    }
};

// What is multiplied: the matrix, or its transpose.
template <typename T>
struct Operand {
    Matrix<const T> matrix;
    bool transposed;

    Operand(const T* elements, int operation, size_t rows, size_t columns, size_t stride)
        : matrix{elements, operation == 0 ? rows : columns, operation == 0 ? columns : rows, stride}, transposed(operation != 0) {}

    T at(size_t row, size_t column) const {
        return transposed ? matrix.elements[row * matrix.stride + column] : matrix.elements[column * matrix.stride + row];
    }
};

// How many rows of the left operand are taken at once: about a megabyte of them.
size_t rows_at_once(size_t depth) { return std::clamp<size_t>((size_t{1} << 17) / std::max<size_t>(depth, 1), 8, 256); }

template <typename T>
void multiply(T alpha, const Operand<T>& left, const Operand<T>& right, size_t depth, T beta, const Matrix<T>& product) {
    const size_t block = std::min(rows_at_once(depth), product.rows);
    // `block` rows of the left operand, column after column; a column of the right one; `block` sums.
    std::vector<double> packed(block * depth), column(depth), sums(block);
    for (size_t first = 0; first < product.rows; first += block) {
        const size_t rows = std::min(block, product.rows - first);
        for (size_t k = 0; k < depth && alpha != 0; k++) {
            for (size_t i = 0; i < rows; i++) packed[k * rows + i] = left.at(first + i, k);
        }
        for (size_t j = 0; j < product.columns; j++) {
            std::fill(sums.begin(), sums.end(), 0.0);
            for (size_t k = 0; k < depth && alpha != 0; k++) column[k] = right.at(k, j);
            double* const __restrict sum = sums.data();
            for (size_t k = 0; k < depth && alpha != 0; k++) {
                const double factor = column[k];
                const double* const __restrict term = &packed[k * rows];
                for (size_t i = 0; i < rows; i++) sum[i] += factor * term[i];
            }
            T* const to = product.elements + j * product.stride + first;
            for (size_t i = 0; i < rows; i++) to[i] = T(alpha * sum[i] + (beta == 0 ? 0.0 : double(beta) * to[i]));
        }
    }
}

// `batch` products whose operands lie `*_step` elements apart.
template <typename T>
int gemm(int left_operation, int right_operation, int m, int n, int k, const T* alpha, const T* left, int left_stride,
         long long left_step, const T* right, int right_stride, long long right_step, const T* beta, T* product,
         int product_stride, long long product_step, int batch) {
    const int left_rows = left_operation == 0 ? m : k, right_rows = right_operation == 0 ? k : n;
    const bool negative = m < 0 || n < 0 || k < 0 || batch < 0;
    if (negative || left_stride < std::max(1, left_rows) || right_stride < std::max(1, right_rows) ||
        product_stride < std::max(1, m)) {
        pvlu_host::tell("cuBLAS: m %d, n %d, k %d with strides %d, %d, %d", m, n, k, left_stride, right_stride, product_stride);
        return INVALID_VALUE;
    }
    std::lock_guard guard(pvlu_host::driver_lock());
    for (int i = 0; i < batch; i++) {
        const Operand<T> a(left + i * left_step, left_operation, m, k, left_stride);
        const Operand<T> b(right + i * right_step, right_operation, k, n, right_stride);
        const Matrix<T> c{product + i * product_step, size_t(m), size_t(n), size_t(product_stride)};
        if (!a.matrix.is_live("A") || !b.matrix.is_live("B") || !c.is_live("C")) return EXECUTION_FAILED;
        multiply(*alpha, a, b, k, *beta, c);
    }
    return SUCCESS;
}

int not_supported() {
    pvlu_host::tell("cuBLAS: only gemm in f32 and f64 is there");
    return NOT_SUPPORTED;
}

}  // namespace

extern "C" {

int cublasCreate_v2(void** handle) {
    static char anything;
    *handle = &anything;
    return SUCCESS;
}

int cublasDestroy_v2(void*) { return SUCCESS; }
int cublasSetStream_v2(void*, void*) { return SUCCESS; }

int cublasSgemm_v2(void*, int ta, int tb, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b,
                   int ldb, const float* beta, float* c, int ldc) {
    return gemm(ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

int cublasDgemm_v2(void*, int ta, int tb, int m, int n, int k, const double* alpha, const double* a, int lda, const double* b,
                   int ldb, const double* beta, double* c, int ldc) {
    return gemm(ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

int cublasSgemmStridedBatched(void*, int ta, int tb, int m, int n, int k, const float* alpha, const float* a, int lda,
                              long long step_a, const float* b, int ldb, long long step_b, const float* beta, float* c,
                              int ldc, long long step_c, int batch) {
    return gemm(ta, tb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, batch);
}

int cublasDgemmStridedBatched(void*, int ta, int tb, int m, int n, int k, const double* alpha, const double* a, int lda,
                              long long step_a, const double* b, int ldb, long long step_b, const double* beta, double* c,
                              int ldc, long long step_c, int batch) {
    return gemm(ta, tb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, batch);
}

// Without the parameters they are declared with, which nobody reads.
int cublasSgemv_v2() { return not_supported(); }
int cublasDgemv_v2() { return not_supported(); }
int cublasGemmEx() { return not_supported(); }
int cublasGemmStridedBatchedEx() { return not_supported(); }

}  // extern "C"
