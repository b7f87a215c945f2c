//! Which of one container's variables change, and how.

use super::form::{Form, Origin, is_chart_secret, is_chart_secret_key, is_chart_secret_name};
use super::injection::{Injection, Source, Wanted};
use super::lenient::List;
use super::patch::Patch;
use super::pod::EnvVar;
use super::{Auth, OnConflict, Reads, Variable};
use std::fmt::Arguments;

/// The changes to one container's `env`, with indices into the list as it is.
#[derive(Debug, Default)]
pub(crate) struct Plan<'i> {
    replace: Vec<(usize, &'i str)>,
    remove: Vec<usize>,
    /// Those in `remove` that belong to the other mode, rather than to the other delivery.
    remove_other_mode: Vec<usize>,
    add: Vec<&'i str>,
    /// Variables that stay because the user's own is in their place.
    kept: Vec<Variable>,
    /// Names of the user's own variables that stand where ours belong.
    pub conflicts: Vec<&'static str>,
}

impl<'i> Plan<'i> {
    pub(crate) fn new(env: &List<EnvVar<'_>>, injection: &'i Injection, auth: &Auth, on_conflict: OnConflict) -> Self {
        let mut plan = Self::default();
        let replace_users = on_conflict == OnConflict::Replace;
        let pair = (injection.reads == Reads::Reference).then(|| pair_origin(env, injection, auth));
        for wanted in &injection.variables {
            // A name may be listed twice; the process sees the last one.
            let last = last(env, wanted.variable);
            let origin = match pair {
                Some(pair) => pair,
                None => last.as_ref().map(|(_, form)| form.origin(wanted.variable, Some(&wanted.source), auth)),
            };
            match origin {
                Some(Origin::Right) => {}
                None | Some(Origin::Chart) => plan.put(wanted, last),
                Some(Origin::User) => {
                    plan.conflicts.extend(last.is_some().then_some(wanted.variable.name()));
                    if replace_users {
                        plan.put(wanted, last);
                    } else {
                        plan.kept.push(wanted.variable);
                    }
                }
            }
        }
        for (index, variable) in env.iter() {
            let Some(name) = variable.variable() else { continue };
            if name.read_as() != injection.reads || injection.variables.iter().any(|wanted| wanted.variable == name) {
                continue;
            }
            let users = Form::of(variable).origin(name, None, auth) == Origin::User;
            if users && !plan.conflicts.contains(&name.name()) {
                plan.conflicts.push(name.name());
            }
            if !users || replace_users {
                plan.remove.push(index);
                let otherwise = name.delivered_otherwise();
                if !users && !injection.variables.iter().any(|wanted| Some(wanted.variable) == otherwise) {
                    plan.remove_other_mode.push(index);
                }
            }
        }
        plan
    }

    /// Keeps of the plan only the removals of the other mode's variables.
    pub(crate) fn of_the_other_mode(&self) -> Self {
        Self { remove: self.remove_other_mode.clone(), ..Self::default() }
    }

    /// Whether every variable that points to a file is the user's own and stays, so that our files go unread.
    pub(crate) fn keeps_files_of_user(&self, injection: &Injection) -> bool {
        let mut files = injection.variables.iter().filter(|wanted| wanted.variable.is_file());
        files.all(|wanted| self.kept.contains(&wanted.variable))
    }

    /// Puts a variable in the place of the one that it replaces, or in front of all others.
    fn put(&mut self, wanted: &'i Wanted, last: Option<(usize, Form<'_>)>) {
        match last {
            Some((_, form)) if matches!(&wanted.source, Source::Value(value) if form.is_value(value)) => {}
            Some((index, _)) => self.replace.push((index, &wanted.json)),
            None => self.add.push(&wanted.json),
        }
    }

    /// Writes the operations; `list` is the JSON Pointer of the container's `env`.
    pub(crate) fn write(&self, env: &List<EnvVar<'_>>, list: Arguments<'_>, patch: &mut Patch) {
        for (index, json) in &self.replace {
            patch.replace(format_args!("{list}/{index}"), json);
        }
        for index in self.remove.iter().rev() {
            patch.remove(format_args!("{list}/{index}"));
        }
        if env.len == 0 {
            if !self.add.is_empty() {
                patch.add(list, &format!("[{}]", self.add.join(",")));
            }
        } else {
            // In front of the container's own, so that `$(ARGO_CD_TOKEN)` in a later one expands.
            for json in self.add.iter().rev() {
                patch.add(format_args!("{list}/0"), json);
            }
        }
    }
}

fn last<'p>(env: &'p List<EnvVar<'_>>, variable: Variable) -> Option<(usize, Form<'p>)> {
    let found = env.iter().rev().find(|(_, candidate)| candidate.variable() == Some(variable));
    found.map(|(index, candidate)| (index, Form::of(candidate)))
}

/// Who owns the pair `ARGO_CD_TOKEN_SECRET_NAME` and `_KEY`. The two are judged together: a user's Secret
/// name with our key would point to nothing.
fn pair_origin(env: &List<EnvVar<'_>>, injection: &Injection, auth: &Auth) -> Option<Origin> {
    let text = |form: &Form<'_>| if let Form::Value(text) = *form { Some(text.to_owned()) } else { None };
    let wanted = |variable| {
        injection.variables.iter().find(|wanted| wanted.variable == variable).and_then(|wanted| match &wanted.source {
            Source::Value(value) => Some(value.as_str()),
            _ => None,
        })
    };
    let (wanted_name, wanted_key) = (wanted(Variable::SecretName), wanted(Variable::SecretKey));
    let is_plain = |found: &Option<(usize, Form<'_>)>| matches!(found, None | Some((_, Form::Value(_))));
    let (name, key) = (last(env, Variable::SecretName), last(env, Variable::SecretKey));
    if !is_plain(&name) || !is_plain(&key) {
        return Some(Origin::User);
    }
    let name = name.and_then(|(_, form)| text(&form));
    let key = key.and_then(|(_, form)| text(&form));
    let chart = match (name.as_deref(), key.as_deref()) {
        (None, None) => return None,
        (name @ Some(_), key @ Some(_)) if name == wanted_name && key == wanted_key => return Some(Origin::Right),
        (name @ Some(_), key @ Some(_)) => is_chart_secret(name, key, auth),
        (Some(name), None) => Some(name) == wanted_name || is_chart_secret_name(name, auth),
        (None, Some(key)) => Some(key) == wanted_key || is_chart_secret_key(key, auth),
    };
    Some(if chart { Origin::Chart } else { Origin::User })
}
