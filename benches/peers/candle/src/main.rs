//! Times steps in candle: `pvlu_peer_candle WORK STEPS` prints the median of the steps in milliseconds, after two that
//! are not counted. Threads as `RAYON_NUM_THREADS` says.

use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Dropout, Init, Linear, ModuleT, Optimizer, SGD, VarBuilder, VarMap};

const DEVICE: Device = Device::Cpu;

/// A 3x3 convolution with padding one.
fn convolution(from: usize, to: usize, stride: usize, bias: bool, vars: VarBuilder) -> Result<Conv2d> {
    let config = Conv2dConfig { padding: 1, stride, ..Default::default() };
    if bias {
        candle_nn::conv2d(from, to, 3, config, vars)
    } else {
        candle_nn::conv2d_no_bias(from, to, 3, config, vars)
    }
}

/// The six-convolution network of the PVLU paper, as `zoo::sequential6conv`.
struct SixConvolutions {
    convolutions: Vec<Conv2d>,
    linear: [Linear; 2],
}

impl SixConvolutions {
    fn new(vars: VarBuilder) -> Result<Self> {
        let mut convolutions = Vec::new();
        let mut channels = 3;
        for (stage, width) in [32, 64, 128].into_iter().enumerate() {
            for layer in 0..2 {
                convolutions.push(convolution(channels, width, 1, true, vars.pp(format!("{stage}.{layer}")))?);
                channels = width;
            }
        }
        let linear =
            [candle_nn::linear(2048, 512, vars.pp("hidden"))?, candle_nn::linear(512, 100, vars.pp("logits"))?];
        Ok(Self { convolutions, linear })
    }
}

impl ModuleT for SixConvolutions {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for stage in self.convolutions.chunks(2) {
            for layer in stage {
                x = layer.forward_t(&x, train)?.relu()?;
            }
            x = Dropout::new(0.25).forward(&x.max_pool2d(2)?, train)?;
        }
        let x = self.linear[0].forward_t(&x.flatten_from(1)?, train)?.relu()?;
        self.linear[1].forward_t(&Dropout::new(0.5).forward(&x, train)?, train)
    }
}

/// Two convolutions and a shortcut without parameters.
struct Block {
    convolutions: [Conv2d; 2],
    norms: [BatchNorm; 2],
    more: usize,
}

impl ModuleT for Block {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let [first, second] = &self.convolutions;
        let y = self.norms[0].forward_t(&first.forward_t(x, train)?, train)?.relu()?;
        let y = self.norms[1].forward_t(&second.forward_t(&y, train)?, train)?;
        let shortcut = if self.more == 0 {
            x.clone()
        } else {
            // Every other row and column.
            let (n, c, h, w) = x.dims4()?;
            let x = x.reshape((n, c, h / 2, 2, w / 2, 2))?.narrow(3, 0, 1)?.narrow(5, 0, 1)?;
            x.reshape((n, c, h / 2, w / 2))?.pad_with_zeros(1, self.more / 2, self.more / 2)?
        };
        (y + shortcut)?.relu()
    }
}

/// The CIFAR ResNet with three blocks a stage.
struct ResNet20 {
    first: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    logits: Linear,
}

impl ResNet20 {
    fn new(vars: VarBuilder) -> Result<Self> {
        let mut blocks = Vec::new();
        let mut channels = 16;
        for width in [16, 32, 64] {
            for _ in 0..3 {
                let vars = vars.pp(blocks.len());
                let stride = if channels == width { 1 } else { 2 };
                blocks.push(Block {
                    convolutions: [
                        convolution(channels, width, stride, false, vars.pp("conv1"))?,
                        convolution(width, width, 1, false, vars.pp("conv2"))?,
                    ],
                    norms: [
                        candle_nn::batch_norm(width, 1e-5, vars.pp("bn1"))?,
                        candle_nn::batch_norm(width, 1e-5, vars.pp("bn2"))?,
                    ],
                    more: width - channels,
                });
                channels = width;
            }
        }
        Ok(Self {
            first: convolution(3, 16, 1, false, vars.pp("first"))?,
            norm: candle_nn::batch_norm(16, 1e-5, vars.pp("norm"))?,
            blocks,
            logits: candle_nn::linear(64, 10, vars.pp("logits"))?,
        })
    }
}

impl ModuleT for ResNet20 {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.norm.forward_t(&self.first.forward_t(x, train)?, train)?.relu()?;
        for block in &self.blocks {
            x = block.forward_t(&x, train)?;
        }
        self.logits.forward_t(&x.mean((2, 3))?, train)
    }
}

/// A training step of a network at batch 128.
fn training<M: ModuleT + 'static>(
    classes: u32,
    new: impl FnOnce(VarBuilder) -> Result<M>,
) -> Result<Box<dyn FnMut() -> Result<()>>> {
    let map = VarMap::new();
    let net = new(VarBuilder::from_varmap(&map, DType::F32, &DEVICE))?;
    let images = Tensor::randn(0f32, 1.0, (128, 3, 32, 32), &DEVICE)?;
    let labels: Vec<u32> = (0..128).map(|i| i % classes).collect();
    let labels = Tensor::new(labels, &DEVICE)?;
    // Without momentum, which candle's SGD does not have.
    let mut optimizer = SGD::new(map.all_vars(), 1e-4)?;
    let net = move |x: &Tensor| net.forward_t(x, true);
    Ok(Box::new(move || optimizer.backward_step(&candle_nn::loss::cross_entropy(&net(&images)?, &labels)?)))
}

/// PVLU on 64x64x32x32, composed of candle's operations; both passes, or forward alone.
fn pvlu(both: bool) -> Result<Box<dyn FnMut() -> Result<()>>> {
    let init = |value| Init::Const(value).var((1, 64, 1, 1), DType::F32, &DEVICE);
    let (alpha, beta): (Var, Var) = (init(0.5)?, init(1.0)?);
    let x = Var::randn(0f32, 1.0, (64, 64, 32, 32), &DEVICE)?;
    Ok(Box::new(move || {
        let x = if both { x.as_tensor().clone() } else { x.as_detached_tensor() };
        let (alpha, beta) = if both {
            (alpha.as_tensor().clone(), beta.as_tensor().clone())
        } else {
            (alpha.as_detached_tensor(), beta.as_detached_tensor())
        };
        let y = (x.relu()? + x.broadcast_mul(&beta)?.sin()?.broadcast_mul(&alpha)?)?;
        if both {
            y.backward()?;
        }
        Ok(())
    }))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, steps] = arguments.as_slice() else { candle_core::bail!("expected: WORK STEPS") };
    let steps: usize = steps.parse().map_err(candle_core::Error::wrap)?;
    let mut step = match work.as_str() {
        "sequential6conv" => training(100, SixConvolutions::new)?,
        "cifar_resnet20" => training(10, ResNet20::new)?,
        "pvlu_forward" => pvlu(false)?,
        "pvlu_both" => pvlu(true)?,
        other => candle_core::bail!("no work is called '{other}'"),
    };
    let mut times = Vec::new();
    for counted in 0..steps + 2 {
        let begin = Instant::now();
        step()?;
        if counted >= 2 {
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    println!("{:.3}", times[times.len() / 2]);
    Ok(())
}
