//! The kernels of a layer on tensors that depend on their names alone, so that they are the same in either precision.

use pvlu::activation::{Definition, FusedElement};
use pvlu::kernel::cpu::CpuElement;
use pvlu::kernel::cpu::batch_norm::{Gradients, Scaling, update_running};
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::shape::{ConvShape, Correction, MaxPadding, PoolShape, Subsample};
use pvlu::kernel::write::{InputGradient, Write};
use pvlu::layer::{Extent, LayerKind};

use super::{Case, Output};
use crate::formula::{self, Kind};

/// The tensor of this name.
pub fn tensor<E: CpuElement>(name: &str, kind: Kind, len: usize) -> Vec<E> {
    formula::tensor(name, kind, len).into_iter().map(|value| E::of(f64::from(value))).collect()
}

/// A destination that a kernel replaces.
fn unwritten<E: CpuElement>(len: usize) -> Vec<E> {
    vec![E::nan(); len]
}

fn zeros<E: CpuElement>(len: usize) -> Vec<E> {
    vec![E::default(); len]
}

pub fn grad_output<E: CpuElement>(case: &Case) -> Vec<E> {
    // The name that the files were made with: the numbers are drawn from it.
    tensor("cotangent", Kind::INPUT, case.batch() * case.output.elements())
}

pub fn input<E: CpuElement>(case: &Case) -> Vec<E> {
    tensor("x", Kind::INPUT, case.batch() * case.input.elements())
}

/// Outputs of the kernels of a layer, forward and backward.
pub fn run<E: CpuElement + FusedElement>(case: &Case) -> Vec<Output<E>> {
    match case.kind {
        LayerKind::Conv2D { bias, .. } => convolution(case, &convolution_shape(case), bias),
        LayerKind::Linear => linear(case),
        LayerKind::BatchNorm2D => batch_norm(case),
        LayerKind::Activation { activation } => activate(case, activation),
        LayerKind::Pool2D { name, kernel, stride, padding } => {
            let (batch, (channels, in_height, in_width)) = (case.batch(), image(case.input));
            pool(case, name, PoolShape { batch, channels, in_height, in_width, kernel, stride, padding })
        }
        LayerKind::GlobalPool2D => global_pool(case),
        LayerKind::Flatten => Vec::new(),
        LayerKind::Dropout { percent } => dropout(case, percent as f64 / 100.0),
        LayerKind::Add => add(case),
        LayerKind::Subsample { stride } => subsample(case, stride),
        other => panic!("no kernels are known of {other:?}"),
    }
}

fn image(extent: Extent) -> (usize, usize, usize) {
    match extent {
        Extent::Image { channels, height, width } => (channels, height, width),
        other => panic!("an image was expected, not {other} features"),
    }
}

fn layout(case: &Case) -> ChannelsLayout {
    ChannelsLayout { outer: case.batch(), channels: case.input.channels(), inner: case.input.plane() }
}

pub fn convolution_shape(case: &Case) -> ConvShape {
    let LayerKind::Conv2D { kernel, stride, padding, .. } = case.kind else { panic!("no convolution: {case:?}") };
    let (in_channels, in_height, in_width) = image(case.input);
    let (batch, out_channels) = (case.batch(), case.output.channels());
    ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel, stride, padding }
}

/// The weight of a convolution or linear layer.
pub fn weight<E: CpuElement>(fan_in: usize, outputs: usize) -> Vec<E> {
    tensor("weight", Kind::weight(fan_in), fan_in * outputs)
}

pub fn bias<E: CpuElement>(case: &Case) -> Vec<E> {
    tensor("bias", Kind::BIAS, case.output.channels())
}

fn convolution<E: CpuElement>(case: &Case, shape: &ConvShape, with_bias: bool) -> Vec<Output<E>> {
    let (x, grad_output, bias) = (input::<E>(case), grad_output::<E>(case), bias::<E>(case));
    let weight = weight::<E>(shape.fan_in(), shape.out_channels);
    let (mut y, mut grad_x) = (unwritten(shape.output_len()), unwritten(shape.input_len()));
    let (mut grad_weight, mut grad_bias) = (zeros(shape.weight_len()), zeros(shape.out_channels));
    (E::cpu().conv2d)(shape, &x, &weight, with_bias.then_some(&bias[..]), &mut y);
    (E::cpu().conv2d_backward_input)(shape, &weight, &grad_output, &mut grad_x, Write::Replace);
    (E::cpu().conv2d_backward_weight)(shape, &x, &grad_output, &mut grad_weight);
    (E::cpu().conv2d_backward_bias)(shape, &grad_output, &mut grad_bias);
    vec![
        Output::new("convolution", y),
        Output::new("convolution, gradient of the input", grad_x),
        Output::new("convolution, gradient of the weight", grad_weight),
        Output::new("convolution, gradient of the bias", grad_bias),
    ]
}

fn linear<E: CpuElement>(case: &Case) -> Vec<Output<E>> {
    let (n, i, o) = (case.batch(), case.input.elements(), case.output.elements());
    let (x, grad_output, weight) = (input::<E>(case), grad_output::<E>(case), weight::<E>(i, o));
    let (mut y, mut grad_x) = (unwritten(n * o), unwritten(n * i));
    let (mut grad_weight, mut grad_bias) = (zeros(o * i), zeros(o));
    (E::cpu().linear)([n, i, o], &x, &weight, Some(&bias(case)), &mut y);
    (E::cpu().linear_backward_input)([n, i, o], &weight, &grad_output, &mut grad_x, Write::Replace);
    drop(weight);
    (E::cpu().linear_backward_weight)([n, i, o], &x, &grad_output, &mut grad_weight);
    (E::cpu().linear_backward_bias)([n, i, o], &grad_output, &mut grad_bias);
    let mut outputs = vec![
        Output::new("linear", y),
        Output::new("linear, gradient of the input", grad_x),
        Output::new("linear, gradient of the weight", grad_weight),
        Output::new("linear, gradient of the bias", grad_bias),
    ];
    if [10, 100, 1000].contains(&o) {
        // The last layer: its output goes into the loss.
        let mut grad_logits = zeros(n * o);
        let labels: Vec<usize> = (0..n).map(|row| 3 * row % o).collect();
        let loss = (E::cpu().cross_entropy)(&outputs[0].values, o, &labels, 0.0, &mut grad_logits);
        outputs.push(Output::wide("cross-entropy", vec![loss]));
        outputs.push(Output::new("cross-entropy, gradient", grad_logits));
    }
    outputs
}

fn batch_norm<E: CpuElement>(case: &Case) -> Vec<Output<E>> {
    const EPSILON: f64 = 1e-5;
    let (layout, channels) = (layout(case), case.input.channels());
    let (x, grad_output) = (input::<E>(case), grad_output::<E>(case));
    let gamma = tensor::<E>("gamma", Kind::GAMMA, channels);
    let beta = tensor::<E>("beta", Kind::SHIFT, channels);
    let mut running_mean = tensor::<E>("mean", Kind::SHIFT, channels);
    let mut running_variance = tensor::<E>("variance", Kind::VARIANCE, channels);
    let wide = |values: &[E]| values.iter().map(|value| value.wide()).collect::<Vec<_>>();
    let (mut y, mut grads) = (zeros(layout.len()), [zeros(layout.len()), zeros(channels), zeros(channels)]);

    let statistics = (E::cpu().batch_statistics)(layout, &x);
    let inv_std = statistics.inv_std(EPSILON);
    let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
    (E::cpu().normalize)(layout, &x, scaling, &beta, &mut y);
    let [grad_x, grad_gamma, grad_beta] = &mut grads;
    let gradients = Gradients { x: InputGradient::Overwrite(grad_x), gamma: Some(grad_gamma), beta: Some(grad_beta) };
    (E::cpu().batch_norm_backward)(layout, &x, scaling, &grad_output, gradients);
    let [grad_x, grad_gamma, grad_beta] = grads;

    let (mean, inv_std): (_, Vec<f64>) =
        (wide(&running_mean), running_variance.iter().map(|v| 1.0 / (v.wide() + EPSILON).sqrt()).collect());
    let scaling = Scaling { mean: &mean, inv_std: &inv_std, gamma: &gamma };
    let (mut y_running, mut grads) = (zeros(layout.len()), [zeros(layout.len()), zeros(channels), zeros(channels)]);
    (E::cpu().normalize)(layout, &x, scaling, &beta, &mut y_running);
    let [x_running, gamma_running, beta_running] = &mut grads;
    let gradients =
        Gradients { x: InputGradient::Overwrite(x_running), gamma: Some(gamma_running), beta: Some(beta_running) };
    (E::cpu().batch_norm_backward_running)(layout, &x, scaling, &grad_output, gradients);
    let [x_running, gamma_running, beta_running] = grads;

    let (variance, count) = (&statistics.variance, layout.count());
    update_running(&mut running_mean, &statistics.mean, 0.1, 1.0);
    update_running(&mut running_variance, variance, 0.1, Correction::Unbiased.factor(count));
    vec![
        Output::wide("batch norm, mean", statistics.mean),
        Output::wide("batch norm, variance", statistics.variance),
        Output::new("batch norm, updated running mean", running_mean),
        Output::new("batch norm, updated running variance", running_variance),
        Output::new("batch norm by the batch", y),
        Output::new("batch norm by the batch, gradient of the input", grad_x),
        Output::new("batch norm by the batch, gradient of the scale", grad_gamma),
        Output::new("batch norm by the batch, gradient of the shift", grad_beta),
        Output::new("batch norm by running statistics", y_running),
        Output::new("batch norm by running statistics, gradient of the input", x_running),
        Output::new("batch norm by running statistics, gradient of the scale", gamma_running),
        Output::new("batch norm by running statistics, gradient of the shift", beta_running),
    ]
}

fn activate<E: CpuElement + FusedElement>(case: &Case, activation: &Definition) -> Vec<Output<E>> {
    let (mut layout, kernels) = (layout(case), E::fused(activation).cpu);
    if activation.is_per_element() {
        (layout.channels, layout.inner) = (case.input.elements(), 1);
    }
    let channels = layout.channels;
    // Inputs to either side of several periods, and parameters about their start values.
    let x: Vec<E> = input::<E>(case).into_iter().map(|x| x * E::of(8.0)).collect();
    let params: Vec<Vec<E>> = activation
        .params()
        .iter()
        .map(|param| {
            let noise = tensor::<E>(param.name, Kind::ALPHA, channels);
            noise.into_iter().map(|noise| noise + E::of(param.start)).collect()
        })
        .collect();
    let params: Vec<&[E]> = params.iter().map(Vec::as_slice).collect();
    let (mut y, mut grad_x) = (unwritten(layout.len()), zeros(layout.len()));
    let mut grads: Vec<Vec<E>> = params.iter().map(|_| zeros(channels)).collect();
    kernels.forward(layout, &x, &params, &mut y);
    let mut slots: Vec<Option<&mut [E]>> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
    kernels.backward(
        layout,
        x[..].into(),
        &params,
        &grad_output(case),
        InputGradient::Overwrite(&mut grad_x),
        &mut slots,
    );
    let mut outputs = vec![Output::new(activation.name(), y), Output::new("activation, gradient of the input", grad_x)];
    outputs.extend(grads.into_iter().map(|grad| Output::new("activation, gradient of a parameter", grad)));
    outputs
}

fn pool<E: CpuElement>(case: &Case, name: &str, shape: PoolShape) -> Vec<Output<E>> {
    let padding = match name {
        "MaxPool2D" => MaxPadding::NegativeInfinity,
        "ZeroPaddedMaxPool2D" => MaxPadding::Zero,
        other => panic!("no kernels are known of {other}"),
    };
    let (x, mut y) = (input::<E>(case), zeros(shape.output_len()));
    let argmax = (E::cpu().max_pool)(shape, padding, &x, &mut y, true).expect("positions were asked for");
    let mut without_argmax = zeros(shape.output_len());
    (E::cpu().max_pool)(shape, padding, &x, &mut without_argmax, false);
    assert_eq!(y, without_argmax);
    let mut grad_x = unwritten(shape.input_len());
    (E::cpu().max_pool_backward)(shape, &argmax, &grad_output(case), &mut grad_x, Write::Replace);
    vec![Output::new("max pool", y), Output::new("max pool, gradient", grad_x)]
}

fn global_pool<E: CpuElement>(case: &Case) -> Vec<Output<E>> {
    let (x, inner) = (input::<E>(case), case.input.plane());
    let (mut y, mut grad_x) = (unwritten(x.len() / inner), unwritten(x.len()));
    (E::cpu().global_average_pool)(inner, &x, &mut y);
    (E::cpu().global_average_pool_backward)(inner, &grad_output(case), &mut grad_x, Write::Replace);
    vec![Output::new("global pool", y), Output::new("global pool, gradient", grad_x)]
}

fn dropout<E: CpuElement>(case: &Case, p: f64) -> Vec<Output<E>> {
    let x = input::<E>(case);
    let (mut y, mut grad_x) = (unwritten(x.len()), zeros(x.len()));
    (E::cpu().dropout)(7, p, &x, &mut y, Write::Replace);
    (E::cpu().dropout)(7, p, &grad_output(case), &mut grad_x, Write::Add);
    vec![Output::new("dropout", y), Output::new("dropout, gradient", grad_x)]
}

fn add<E: CpuElement>(case: &Case) -> Vec<Output<E>> {
    let (a, b) = (input::<E>(case), grad_output::<E>(case));
    let (mut y, mut sum) = (zeros(a.len()), a.clone());
    (E::cpu().add)(&a, &b, &mut y);
    (E::cpu().add_assign)(&mut sum, &b);
    vec![Output::new("add", y), Output::new("add, in place", sum)]
}

fn subsample<E: CpuElement>(case: &Case, stride: usize) -> Vec<Output<E>> {
    let (batch, (in_channels, height, width)) = (case.batch(), image(case.input));
    let shape = Subsample { batch, in_channels, out_channels: case.output.channels(), height, width, stride };
    let (mut y, mut grad_x) = (unwritten(shape.output_len()), unwritten(shape.input_len()));
    (E::cpu().subsample)(shape, &input::<E>(case), &mut y);
    (E::cpu().subsample_backward)(shape, &grad_output(case), &mut grad_x, Write::Replace);
    vec![Output::new("subsample", y), Output::new("subsample, gradient", grad_x)]
}
