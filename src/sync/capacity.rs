//! Which flags both sides of a folder can hold (HAZARDS 6).

use std::collections::BTreeSet;

use crate::mail::snapshot::Selected;
use crate::mail::{Keyword, System};
use crate::maildir::Keywords;

use super::engine::{Engine, Error, Folder};
use super::merge::Mask;
use super::survey::Found;
use super::view::View;

/// The flags that the server can hold. In a folder that lets nothing be changed others set them: all.
pub(super) fn can_hold(selected: &Selected) -> Mask {
    match selected.permanent.as_ref().filter(|_| !selected.read_only) {
        Some(permanent) if !permanent.any_keyword => {
            Mask { system: permanent.flags.system, keywords: Some(permanent.flags.keywords.clone()) }
        }
        // `$Forwarded` is a keyword for the server, whatever letter it has here.
        Some(permanent) => Mask { system: permanent.flags.system.union(System::FORWARDED), keywords: None },
        None => Mask::all(),
    }
}

/// The flags that both sides can hold now.
pub(super) fn mask(found: &Found, view: &View, arriving: &BTreeSet<Keyword>) -> Mask {
    let there = found.remote.as_ref().map_or_else(Mask::all, |r| can_hold(&r.selected));
    let Some(local) = &found.local else { return there };
    let mut wanted = arriving.clone();
    for touched in &view.touched {
        wanted.extend(touched.remote.iter().flat_map(|f| f.keywords.iter().cloned()));
        wanted.extend(touched.local.iter().flat_map(|l| l.flags.keywords.iter().cloned()));
        wanted.extend(touched.row.flags.keywords.iter().cloned());
    }
    wanted.extend(view.remote_new.iter().flat_map(|r| r.message.flags.iter().flat_map(|f| f.keywords.iter().cloned())));
    wanted.extend(view.local_new.iter().flat_map(|l| l.flags.keywords.iter().cloned()));
    let mut trial: Keywords = local.keywords.clone();
    let holdable = wanted.into_iter().filter(|keyword| trial.assign(keyword).is_some()).collect();
    there.and(&Mask { system: System::ALL, keywords: Some(holdable) })
}

/// One warning for keywords that have no letter left.
pub(super) fn note_keywords(engine: &Engine<'_>, folder: &Folder, found: &Found, view: &View) -> Result<(), Error> {
    if found.local.is_none() {
        return Ok(());
    }
    let told = view
        .touched
        .iter()
        .filter_map(|t| t.remote.as_ref())
        .chain(view.remote_new.iter().filter_map(|r| r.message.flags.as_ref()));
    let mut left: Vec<String> = told.flat_map(|flags| view.both.leave(flags).keywords).map(|k| k.to_string()).collect();
    left.sort();
    left.dedup();
    let permanent = found.remote.as_ref().and_then(|r| r.selected.permanent.as_ref());
    left.retain(|k| {
        permanent.is_none_or(|p| p.any_keyword || p.flags.keywords.iter().any(|known| known.as_str() == k))
    });
    if left.is_empty() {
        return Ok(());
    }
    let detail = format!("a Maildir folder holds 26 keywords; these stay on the server alone: {}", left.join(" "));
    engine.standing(Some(&folder.name), "keywords", &detail, None)
}
