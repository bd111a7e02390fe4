//! The commands. Each is one file, which holds its options, its help and its work.

pub mod completions;
pub mod config;
pub mod consume;
pub mod demo;
pub mod deploy;
pub mod doctor;
pub mod export;
pub mod iam_policy;
pub mod init;
pub mod invoke;
pub mod local;
pub mod package;
pub mod plan;
pub mod provision;
pub mod publish;
pub mod redrive;
pub mod rollback;
pub mod show;
pub mod status;
pub mod tail;
pub mod teardown;
pub mod verify;
pub mod versions;

use clap::Subcommand;

use crate::error::Result;
use crate::global::Global;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub enum Command {
    Init(init::Init),
    Config(config::Config),
    Plan(plan::PlanCommand),
    Provision(provision::Provision),
    Publish(publish::Publish),
    Verify(verify::Verify),
    Tail(tail::Tail),
    Consume(consume::Consume),
    Show(show::Show),
    Redrive(redrive::Redrive),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Teardown(teardown::Teardown),
    IamPolicy(iam_policy::IamPolicy),
    Export(export::Export),
    Local(local::Local),
    Demo(demo::Demo),
    Package(package::Package),
    Deploy(deploy::Deploy),
    Versions(versions::Versions),
    Rollback(rollback::Rollback),
    Invoke(invoke::Invoke),
    Completions(completions::Completions),
}

impl Command {
    pub async fn run(&self, global: &Global, output: Output) -> Result<()> {
        match self {
            Self::Init(_) => init::run(global, output),
            Self::Config(args) => config::run(global, args, output),
            Self::Plan(args) => plan::run(global, args, output).await,
            Self::Provision(args) => provision::run(global, args, output).await,
            Self::Publish(args) => publish::run(global, args, output).await,
            Self::Verify(args) => verify::run(global, args, output).await,
            Self::Tail(args) => tail::run(global, args, output).await,
            Self::Consume(args) => consume::run(global, args, output).await,
            Self::Show(args) => show::run(global, args, output).await,
            Self::Redrive(args) => redrive::run(global, args, output).await,
            Self::Status(_) => status::run(global, output).await,
            Self::Doctor(_) => doctor::run(global, output).await,
            Self::Teardown(args) => teardown::run(global, args, output).await,
            Self::IamPolicy(args) => iam_policy::run(global, args, output).await,
            Self::Export(args) => export::run(global, args, output),
            Self::Local(args) => local::run(global, args, output).await,
            Self::Demo(_) => demo::run(global, output).await,
            Self::Package(args) => package::run(args, output),
            Self::Deploy(args) => deploy::run(global, args, output).await,
            Self::Versions(_) => versions::run(global, output).await,
            Self::Rollback(args) => rollback::run(global, args, output).await,
            Self::Invoke(args) => invoke::run(global, args, output).await,
            Self::Completions(args) => completions::run(args),
        }
    }
}
