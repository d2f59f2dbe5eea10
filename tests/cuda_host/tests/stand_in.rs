//! The stand-in itself: that it computes, and that it notices what it is there to notice.

#![allow(unsafe_code)]
// Values are made of the system's sine, whose last bits do not matter here.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DeviceRepr, LaunchAsync, LaunchConfig};
use cudarc::nvrtc::Ptx;
use dfdx::optim::{Adam, Sgd};
use dfdx::prelude::*;
use pvlu_cuda_host::{Order, allocated, last_error, launches, set_order};

const KERNELS: [&str; 8] = [
    "stand_in_scale",
    "stand_in_block_sum",
    "stand_in_reverse",
    "stand_in_unwritten",
    "stand_in_access",
    "stand_in_diverge",
    "stand_in_past_shared",
    "stand_in_order",
];

fn device() -> Arc<CudaDevice> {
    let device = CudaDevice::new(0).unwrap();
    device.load_ptx(Ptx::from_src(""), "stand_in", &KERNELS).unwrap();
    device
}

/// Launches one of the kernels above; they take what the test hands in.
fn launch<A>(device: &Arc<CudaDevice>, name: &str, grid: u32, block: u32, arguments: A) -> Result<(), CUresult>
where
    cudarc::driver::CudaFunction: LaunchAsync<A>,
{
    let shape = LaunchConfig { grid_dim: (grid, 1, 1), block_dim: (block, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the stand-in checks each access; and the types are those of the kernel.
    unsafe { device.get_func("stand_in", name).unwrap().launch(shape, arguments) }.map_err(|error| error.0)
}

fn read<T: DeviceRepr + Clone + Default + Unpin>(device: &Arc<CudaDevice>, slice: &CudaSlice<T>) -> Vec<T> {
    device.dtoh_sync_copy(slice).unwrap()
}

#[test]
fn tensors_go_to_the_device_and_back() {
    let before = allocated();
    {
        let device = Cuda::default();
        let values: Vec<f32> = (0..3000).map(|i| (i as f32).sin()).collect();
        let tensor = device.tensor_from_vec(values.clone(), (Const::<3>, Const::<1000>));
        assert_eq!(tensor.as_vec(), values);
        let copy = tensor.clone();
        assert_eq!((copy * 2.0).as_vec(), values.iter().map(|x| x * 2.0).collect::<Vec<_>>());
        let (zeros, ones): (Tensor<Rank1<77>, f32, _>, Tensor<Rank1<77>, f64, _>) = (device.zeros(), device.ones());
        assert_eq!((zeros.as_vec(), ones.as_vec()), (vec![0.0; 77], vec![1.0; 77]));
        let sum: Tensor<Rank1<3>, f32, _> = tensor.sum();
        for (row, sum) in values.chunks(1000).zip(sum.as_vec()) {
            let expected: f64 = row.iter().map(|&x| f64::from(x)).sum();
            assert!((f64::from(sum) - expected).abs() < 1e-4, "{sum} {expected}");
        }
        assert!(allocated() > before);
    }
    assert_eq!(allocated(), before);
}

/// A tensor after two steps of an optimizer on the sum of its cubes.
fn trained<D: Device<f32>, O>(device: &D, optimizer: O) -> Vec<f32>
where
    O: Fn(&Tensor<Rank1<1500>, f32, D>) -> Box<dyn Optimizer<Tensor<Rank1<1500>, f32, D>, D, f32>>,
{
    let values = (0..1500).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut tensor: Tensor<Rank1<1500>, f32, _> = device.tensor_from_vec(values, (Const::<1500>,));
    let mut optimizer = optimizer(&tensor);
    for _ in 0..2 {
        let leaf = tensor.trace(Gradients::leaky());
        let gradients = (leaf.with_empty_tape() * leaf.square()).sum().backward();
        optimizer.update(&mut tensor, &gradients).unwrap();
    }
    tensor.as_vec()
}

fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= 1e-5 * expected.abs().max(1e-3), "{i}: {got} instead of {expected}");
    }
}

#[test]
fn dfdx_trains_on_the_device_as_on_the_cpu() {
    let momentum = |m| SgdConfig { lr: 1e-2, momentum: Some(m), weight_decay: Some(WeightDecay::L2(1e-2)) };
    let (device, cpu) = (Cuda::default(), Cpu::default());
    for config in [SgdConfig::default(), momentum(Momentum::Classic(0.9)), momentum(Momentum::Nesterov(0.9))] {
        let before = launches();
        let got = trained(&device, |tensor| Box::new(Sgd::new(tensor, config)));
        assert!(launches() > before);
        assert_close(&got, &trained(&cpu, |tensor| Box::new(Sgd::new(tensor, config))));
    }
    let config = AdamConfig::default();
    let got = trained(&device, |tensor| Box::new(Adam::new(tensor, config)));
    assert_close(&got, &trained(&cpu, |tensor| Box::new(Adam::new(tensor, config))));
}

/// All four combinations of transposed operands, of sizes that no block divides, and batches of them.
#[test]
fn products_of_matrices_are_those_of_plain_loops() {
    fn check<E: Dtype + Into<f64>>(tolerance: f64)
    where
        Cuda: Device<E>,
    {
        const M: usize = 37;
        const K: usize = 301;
        const N: usize = 23;
        let device = Cuda::default();
        let value = |i: usize| E::from_f64((i as f64 * 0.37).sin()).unwrap();
        let (left, right): (Vec<E>, Vec<E>) = ((0..M * K).map(value).collect(), (7..K * N + 7).map(value).collect());
        let expected = |row: usize, column: usize| -> (f64, f64) {
            (0..K)
                .map(|k| left[row * K + k].into() * right[k * N + column].into())
                .fold((0.0, 0.0), |s, x: f64| (s.0 + x, s.1 + x.abs()))
        };
        let compare = |got: Vec<E>| {
            assert_eq!(got.len(), M * N);
            for (i, got) in got.into_iter().enumerate() {
                let (sum, size) = expected(i / N, i % N);
                assert!((got.into() - sum).abs() <= tolerance * size, "{i}");
            }
        };
        let transposed = |values: &[E], rows: usize, columns: usize| -> Vec<E> {
            (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect()
        };
        let a: Tensor<Rank2<M, K>, E, _> = device.tensor(left.clone());
        let b: Tensor<Rank2<K, N>, E, _> = device.tensor(right.clone());
        let at: Tensor<Rank2<K, M>, E, _> = device.tensor(transposed(&left, M, K));
        let bt: Tensor<Rank2<N, K>, E, _> = device.tensor(transposed(&right, K, N));
        compare(a.clone().matmul(b.clone()).as_vec());
        compare(at.clone().permute().matmul(b.clone()).as_vec());
        compare(a.clone().matmul(bt.clone().permute()).as_vec());
        compare(at.permute::<Rank2<M, K>, _>().matmul(bt.permute::<Rank2<K, N>, _>()).as_vec());
        let batch: Tensor<Rank3<2, M, K>, E, _> = device.tensor([left.clone(), left.clone()].concat());
        let products = batch.matmul(b).as_vec();
        compare(products[..M * N].to_vec());
        compare(products[M * N..].to_vec());
    }
    check::<f32>(1e-6);
    check::<f64>(1e-15);
}

#[test]
fn kernels_compute_in_any_order() {
    let device = device();
    let count = 5 * 256 + 77;
    let values: Vec<f64> = (0..count).map(|i| (i as f64).cos()).collect();
    let from = device.htod_copy(values.clone()).unwrap();
    for order in Order::SOME {
        set_order(order);
        let sums = device.alloc_zeros::<f64>(6).unwrap();
        launch(&device, "stand_in_block_sum", 6, 256, (&from, &sums, count)).unwrap();
        for (block, sum) in values.chunks(256).zip(read(&device, &sums)) {
            assert!((block.iter().sum::<f64>() - sum).abs() < 1e-12, "{order:?}");
        }
        // Fewer threads than elements.
        let singles = device.htod_copy(vec![3f32; count]).unwrap();
        let scaled = device.alloc_zeros::<f32>(count).unwrap();
        launch(&device, "stand_in_scale", 2, 64, (&singles, &scaled, count, 2f32)).unwrap();
        assert_eq!(read(&device, &scaled), vec![6f32; count], "{order:?}");
    }
}

#[test]
fn orders_are_what_they_say() {
    let device = device();
    let places = |order| {
        set_order(order);
        let next = device.alloc_zeros::<u32>(1).unwrap();
        let places = device.alloc_zeros::<u32>(192).unwrap();
        launch(&device, "stand_in_order", 3, 64, (&next, &places)).unwrap();
        read(&device, &places)
    };
    let ascending: Vec<u32> = (0..192).collect();
    assert_eq!(places(Order::Forward), ascending);
    assert_eq!(places(Order::Reverse), ascending.iter().rev().copied().collect::<Vec<_>>());
    let shuffled = places(Order::Shuffled(1));
    assert_eq!(shuffled, places(Order::Shuffled(1)));
    assert_ne!(shuffled, places(Order::Shuffled(2)));
    let mut sorted = shuffled.clone();
    sorted.sort_unstable();
    assert!(sorted == ascending && shuffled != ascending);
}

#[test]
fn a_missing_barrier_shows() {
    let device = device();
    let reversed = |order, with_barrier: i32| {
        set_order(order);
        let data = device.htod_copy((0..256).map(|i| i as f32).collect()).unwrap();
        launch(&device, "stand_in_reverse", 2, 128, (&data, with_barrier)).unwrap();
        read(&device, &data)
    };
    let expected: Vec<f32> = (0..256).map(|i| (i / 128 * 128 + 127 - i % 128) as f32).collect();
    for order in Order::SOME {
        assert_eq!(reversed(order, 1), expected, "{order:?}");
        let wrong = reversed(order, 0);
        assert!(wrong.iter().any(|x| x.is_nan()), "{order:?}");
    }
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_ne!(bits(reversed(Order::Forward, 0)), bits(reversed(Order::Reverse, 0)));
}

#[test]
fn nothing_is_left_from_before() {
    let device = device();
    // SAFETY: read to see that it holds nothing.
    let fresh = unsafe { device.alloc::<f64>(100) }.unwrap();
    assert!(read(&device, &fresh).iter().all(|x| x.is_nan()));
    let to = device.alloc_zeros::<f32>(32).unwrap();
    launch(&device, "stand_in_unwritten", 1, 32, (&to, 1i32)).unwrap();
    assert_eq!(read(&device, &to), [1f32; 32]);
    // What the first block wrote, the last one does not see.
    launch(&device, "stand_in_unwritten", 2, 32, (&to, 1i32)).unwrap();
    assert!(read(&device, &to).iter().all(|x| x.is_nan()));
}

#[test]
fn accesses_outside_are_caught() {
    let device = device();
    let mut slice = device.alloc_zeros::<f32>(64).unwrap();
    let access = |pointer: u64, offset: usize, index: usize, vector: i32| {
        launch(&device, "stand_in_access", 2, 32, (pointer, offset, index, vector))
    };
    let base = *slice.device_ptr();
    for (offset, index, vector) in [(0, 63, 0), (60, 3, 0), (0, 60, 1), (8, 52, 1)] {
        assert_eq!(access(base, offset, index, vector), Ok(()), "{offset} {index}");
    }
    for (offset, index, vector) in
        [(0, 64, 0), (60, 4, 0), (65, 0, 0), (64, 0, 0), (8, usize::MAX, 0), (0, 61, 1), (0, 64, 1), (60, 4, 1)]
    {
        assert_eq!(access(base, offset, index, vector), Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS), "{offset} {index}");
        assert!(last_error().contains("stand_in_access") && last_error().contains("thread 0"), "{}", last_error());
    }
    assert_eq!(access(base, 1, 0, 1), Err(CUresult::CUDA_ERROR_MISALIGNED_ADDRESS));
    assert_eq!(access(base + 2, 0, 0, 0), Err(CUresult::CUDA_ERROR_MISALIGNED_ADDRESS));
    assert_eq!(access(0, 0, 0, 0), Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS));
    assert!(last_error().contains("null"));
    slice = device.alloc_zeros::<f32>(8).unwrap();
    assert_eq!(access(base, 0, 0, 0), Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS));
    assert!(last_error().contains("no live allocation"), "{}", last_error());
    // And the next launch is none the worse for it.
    assert_eq!(access(*slice.device_ptr(), 0, 7, 0), Ok(()));
    let at_end = launch(&device, "stand_in_past_shared", 1, 32, (&device.alloc_zeros::<f32>(32).unwrap(), 32u32));
    assert_eq!(at_end, Err(CUresult::CUDA_ERROR_LAUNCH_FAILED));
}

#[test]
fn threads_that_part_are_caught() {
    let device = device();
    let to = device.alloc_zeros::<f32>(64).unwrap();
    for order in Order::SOME {
        set_order(order);
        for (how, word) in
            [(0i32, "has ended"), (1, "but thread"), (2, "has ended"), (3, "but thread"), (4, "but thread")]
        {
            let outcome = launch(&device, "stand_in_diverge", 2, 64, (&to, how));
            assert_eq!(outcome, Err(CUresult::CUDA_ERROR_LAUNCH_FAILED), "{order:?} {how}");
            assert!(last_error().contains(word), "{how}: {}", last_error());
        }
    }
}

#[test]
fn launches_and_copies_that_are_wrong_are_caught() {
    use cudarc::driver::result;
    let device = device();
    let slice = device.alloc_zeros::<f32>(64).unwrap();
    let base = *slice.device_ptr();
    let invalid = Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    for (grid, block) in [(0, 32), (1, 0), (1, 48), (1, 1056)] {
        assert_eq!(launch(&device, "stand_in_diverge", grid, block, (&slice, 0i32)), invalid, "{grid} {block}");
    }
    let mut host = [0f32; 65];
    let code = |outcome: Result<(), cudarc::driver::DriverError>| outcome.map_err(|error| error.0);
    // SAFETY: the stand-in checks the ends of each.
    unsafe {
        assert_eq!(code(result::memcpy_htod_sync(base, &host)), invalid);
        assert_eq!(code(result::memcpy_dtoh_sync(&mut host, base)), invalid);
        assert_eq!(code(result::memcpy_dtod_sync(base + 4, base, 256)), invalid);
        assert_eq!(code(result::memset_d8_sync(base + 1, 0, 256)), invalid);
        assert_eq!(code(result::memcpy_dtoh_sync(&mut host[..64], base)), Ok(()));
        assert_eq!(result::malloc_sync(0).map_err(|error| error.0), Err(CUresult::CUDA_ERROR_INVALID_VALUE));
        assert_eq!(code(result::memory_free(base + 8)), invalid);
    }
    assert!(device.load_ptx(Ptx::from_src(""), "unknown", &["stand_in_unknown"]).is_err());
    assert!(last_error().contains("stand_in_unknown"));
}
