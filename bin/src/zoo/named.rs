//! The commands of `zoo` with paths of files where the user named published weights.

use pvlu_zoo::published::Variables;

use super::args::{Command, ConvertArgs, EvalArgs, FinetuneArgs, LogitsArgs, ModelArgs, PredictArgs};
use super::export::ExportArgs;
use crate::common::error::CliError;
use crate::common::named::locate;

impl Command {
    /// The same command with paths of files where the user named published weights, and with the preprocessing that
    /// goes with the file; `None` for a command that reads no weights.
    pub fn located(&self, variables: Variables<'_>) -> Result<Option<Self>, CliError> {
        let model = |model: &ModelArgs| {
            let model = model.located(variables)?;
            let published = model.published.chosen_for(&model.weights, model.model.as_deref())?;
            Ok::<_, CliError>(ModelArgs { published, ..model })
        };
        Ok(Some(match self {
            Self::Logits(args) => Self::Logits(LogitsArgs { model: args.model.located(variables)?, ..args.clone() }),
            Self::Predict(args) => Self::Predict(PredictArgs { model: model(&args.model)?, ..args.clone() }),
            Self::Eval(args) => Self::Eval(EvalArgs { model: model(&args.model)?, ..args.clone() }),
            Self::Finetune(args) => Self::Finetune(FinetuneArgs { model: model(&args.model)?, ..args.clone() }),
            Self::Export(args) => Self::Export(ExportArgs { model: model(&args.model)?, ..args.clone() }),
            Self::Convert(args) => {
                let mut model = args.model.clone();
                let input = locate(&args.input, &mut model, None, args.published.offline, variables)?;
                let published = args.published.chosen_for(&input, model.as_deref())?;
                Self::Convert(ConvertArgs { input, model, published, ..args.clone() })
            }
            Self::Info(args) => Self::Info(args.located(variables)?),
            _ => return Ok(None),
        }))
    }
}

impl ModelArgs {
    /// The same with the path of a file.
    fn located(&self, variables: Variables<'_>) -> Result<Self, CliError> {
        let mut model = self.model.clone();
        let weights = locate(&self.weights, &mut model, self.classes, self.published.offline, variables)?;
        Ok(Self { model, weights, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
