//! The commands of `zoo` with paths of files where the user named published weights.

use pvlu_zoo::published::Variables;

use super::args::{ConvertArgs, ModelArgs, PublishedArgs};
use super::prepare::ModelFile;
use super::recipe::Recipe;
use crate::common::error::CliError;
use crate::common::named::{locate, note_file};

impl ModelArgs {
    /// The model in its file, once a name of published weights is replaced by the path of the file.
    pub fn located(&self, variables: Variables<'_>) -> Result<ModelFile, CliError> {
        let Self { mut model, weights, activation, classes, source, allow_non_finite, ema, published } = self.clone();
        let path = locate(&weights, &mut model, classes, published.offline, variables)?;
        note_file(&weights, &path);
        Ok(ModelFile { path, model, activation, classes, source, allow_non_finite, average: ema, recipe: None })
    }

    /// As [`located`](Self::located), with the preprocessing that goes with the file.
    pub fn prepared(&self, variables: Variables<'_>) -> Result<ModelFile, CliError> {
        with_recipe(self.located(variables)?, &self.published)
    }
}

impl ConvertArgs {
    /// The model to be converted, as by [`ModelArgs::prepared`].
    pub fn prepared(&self, variables: Variables<'_>) -> Result<ModelFile, CliError> {
        let Self { input, mut model, source, allow_non_finite, ema: average, published, .. } = self.clone();
        let path = locate(&input, &mut model, None, published.offline, variables)?;
        note_file(&input, &path);
        let (activation, classes, recipe) = (None, None, None);
        let file = ModelFile { path, model, activation, classes, source, allow_non_finite, average, recipe };
        with_recipe(file, &published)
    }
}

fn with_recipe(file: ModelFile, published: &PublishedArgs) -> Result<ModelFile, CliError> {
    let recipe = Recipe::find(published.recipe.as_deref(), &file.path, file.model.as_deref())?;
    Ok(ModelFile { recipe, ..file })
}

#[cfg(test)]
mod tests;
