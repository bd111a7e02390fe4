//! DeleteFunction.

use bytes::Bytes;
use http::Response;

use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::{Context, version_keys};
use crate::lambda::errors::{conflict, invalid_parameter, not_found};
use crate::lambda::names::{LATEST, function_arn, is_number};
use crate::lambda::{persistence, response};

pub fn delete_function(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = input.reference(context)?;
    match reference.qualifier.as_deref() {
        Some(LATEST) => {
            return Err(invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(alias) if !is_number(alias) && !alias.starts_with('$') => {
            return Err(invalid_parameter("Deletion of aliases is not currently supported."));
        }
        _ => {}
    }
    let arn = function_arn(&context.config, &reference.name);
    let mut functions = context.functions();
    let function = functions.get(&reference.name);
    let function = function.ok_or_else(|| not_found(format!("Function not found: {arn}")))?;
    let mut keys = version_keys(&functions, &reference.name);
    match &reference.qualifier {
        Some(version) if function.aliases.values().any(|alias| alias.refers_to(version)) => {
            // AWS's message is unverified.
            return Err(conflict(format!("Version {version} of {arn} is referenced by an alias.")));
        }
        Some(version) => keys.retain(|key| *key == format!("{}:{version}", reference.name)),
        None => keys.push(reference.name.clone()),
    }
    if let (Some(version), Some(latest)) = (&reference.qualifier, functions.get_mut(&reference.name)) {
        latest.forget_qualifier(version);
        persistence::store(context, latest);
    }
    for function in keys.iter().filter_map(|key| functions.remove(key)) {
        persistence::delete(context, &function.key());
        if let Ok(program) = &function.program {
            program.pool.retire();
        }
    }
    Ok(response::empty(204))
}
