//! The operations on functions, one file for each or for a close group.

mod account_settings;
mod aliases;
mod concurrency;
mod create_function;
mod delete_function;
mod event_invoke_config;
mod function_input;
mod get_function;
mod invoke;
mod list_functions;
mod permissions;
mod publish_version;
mod source;
mod tags;
mod unsupported_features;
mod update_function;

pub use account_settings::get_account_settings;
pub use aliases::{create_alias, delete_alias, get_alias, list_aliases, update_alias};
pub use concurrency::{delete_function_concurrency, get_function_concurrency, put_function_concurrency};
pub use create_function::create_function;
pub use delete_function::delete_function;
pub use event_invoke_config::{
    delete_function_event_invoke_config, get_function_event_invoke_config, list_function_event_invoke_configs,
    put_function_event_invoke_config, update_function_event_invoke_config,
};
pub use get_function::{download_code, get_function, get_function_configuration};
pub use invoke::invoke;
pub use list_functions::{list_functions, list_versions_by_function};
pub use permissions::{add_permission, get_policy, remove_permission};
pub use publish_version::publish_version;
pub use tags::{list_tags, tag_resource, untag_resource};
pub use unsupported_features::{
    get_function_code_signing_config, get_function_recursion_config, get_function_url_config, list_function_url_configs,
};
pub use update_function::{update_function_code, update_function_configuration};
