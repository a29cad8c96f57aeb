//! The tasks of a run, by Maildir: those of one Maildir go one after another under one lock, different ones in parallel.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::context::Context;
use super::exit::{Exit, run_exit};
use super::hold::{Held, How};
use super::work::{Done, Task, Worker};
use crate::config::conflicts::real;
use crate::severity::Kind;
use crate::state::Continuity;

/// Runs every task; each prints its own end.
pub fn run_tasks(context: &Context, tasks: Vec<Task>, how: How) -> Exit {
    let mut groups: Vec<(PathBuf, Vec<Task>)> = Vec::new();
    for task in tasks {
        let root = real(&task.account.store.root);
        match groups.iter_mut().find(|(known, _)| *known == root) {
            Some((_, group)) => group.push(task),
            None => groups.push((root, vec![task])),
        }
    }
    let asking = Mutex::new(());
    let exits = Mutex::new(Vec::new());
    let queue = Mutex::new(groups.into_iter().map(|(_, group)| group));
    let work = || {
        loop {
            let Some(group) = queue.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
            let worker = Worker { context, asking: &asking, sink: &*context.ui, purse: None };
            let done = run_group(&worker, &group, how);
            exits.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
        }
    };
    let groups = queue.lock().unwrap_or_else(PoisonError::into_inner).len();
    std::thread::scope(|scope| {
        for _ in 1..groups {
            // Without another thread this one does the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    run_exit(&exits.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The accounts of one Maildir.
fn run_group(worker: &Worker<'_>, tasks: &[Task], how: How) -> Vec<Exit> {
    let context = worker.context;
    let mut held: Option<Held> = None;
    let mut all: Vec<(&Task, Done)> = Vec::new();
    for task in tasks {
        if context.stop.requested() {
            break;
        }
        worker.begin(task);
        if held.is_none() {
            match Held::take(&task.account.store, how, &context.stop) {
                Ok(taken) => held = Some(warned(worker, task, taken)),
                Err(error) => {
                    all.push((task, worker.end(task, worker.failed(task, &*error))));
                    continue;
                }
            }
        }
        if let Some(held) = held.as_mut() {
            let done = worker.run(task, held);
            all.push((task, worker.end(task, done)));
        }
    }
    let left_out = all.len() < tasks.len();
    if let Some(mut held) = held {
        let dealt_with = |done: &Done| done.kinds.iter().all(|kind| *kind == Kind::Guard);
        if !how.dry_run
            && held.continuity == Continuity::Broken
            && !left_out
            && all.iter().all(|(task, done)| task.work.updates() && dealt_with(done))
            && let Err(error) = held.settle()
        {
            context.fail(None, &*error);
        }
    }
    // The Maildir is free again: a hook may use it, or take its time.
    if !how.dry_run {
        all.iter().filter(|(task, _)| task.work.updates()).for_each(|(task, done)| worker.hooks(task, done));
    }
    let mut exits: Vec<Exit> = all.iter().map(|(_, done)| done.exit).collect();
    if left_out {
        exits.push(Exit::Failed(Kind::Interrupted));
    }
    exits
}

/// Tells what is unusual about the state.
pub fn warned(worker: &Worker<'_>, task: &Task, held: Held) -> Held {
    if let Some(aside) = &held.state.set_aside {
        let message = format!("the state was damaged and now lies at {}", aside.display());
        worker.warn(task, message, "nothing: the Maildir is compared with the server by content, once");
    }
    if held.continuity == Continuity::Broken {
        let message =
            "the Maildir or its state is a copy or was restored: this run compares everything and deletes nothing";
        worker.warn(task, message.to_owned(), "nothing: the next run deletes again what is to be deleted");
    }
    held
}
