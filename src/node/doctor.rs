//! The doctor's report, and its measurement alone for `ictus bench`. Both wait for seconds: never on the JavaScript
//! thread.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::engine::{Distribution, distribution};
use super::error::throw;
use super::value;
use crate::control::{self, DoctorOptions, RealtimeRequest};

#[napi(object, object_from_js = false)]
pub struct Check {
    pub id: &'static str,
    pub status: &'static str,
    pub found: String,
    pub wanted: &'static str,
    pub fix: Option<String>,
}

#[napi(object, object_from_js = false)]
pub struct Report {
    pub ok: bool,
    pub checks: Vec<Check>,
    pub jitter: Either<Distribution, Null>,
    pub jitter_without: Either<Distribution, Null>,
}

fn or_null(from: Option<control::Distribution>) -> Either<Distribution, Null> {
    from.map_or(Either::B(Null), |from| Either::A(distribution(from)))
}

/// Examines the machine.
#[napi(catch_unwind)]
pub fn examine(env: Env, options: Unknown) -> Result<AsyncTask<Examine>> {
    let options = value::read(options)?;
    DoctorOptions::read(&options)
        .map(|options| AsyncTask::new(Examine(options)))
        .map_err(|error| throw(&env, &error))
}

pub struct Examine(DoctorOptions);

impl Task for Examine {
    type Output = control::Report;
    type JsValue = Report;

    fn compute(&mut self) -> Result<control::Report> {
        Ok(control::doctor(self.0))
    }

    fn resolve(&mut self, _: Env, report: control::Report) -> Result<Report> {
        let check = |check: control::Check| Check {
            id: check.id,
            status: check.status.as_str(),
            found: check.found,
            wanted: check.wanted,
            fix: check.fix,
        };
        Ok(Report {
            ok: report.ok,
            checks: report.checks.into_iter().map(check).collect(),
            jitter: or_null(report.jitter),
            jitter_without: or_null(report.jitter_without),
        })
    }
}

#[napi(object, object_from_js = false)]
pub struct Wakeups {
    pub policy: &'static str,
    pub priority: i32,
    pub via: &'static str,
    pub reason: Option<String>,
    pub realtime: Either<Distribution, Null>,
    pub ordinary: Distribution,
}

/// Measures for so many seconds how late threads are woken, with real-time priority and without.
#[napi(catch_unwind)]
pub fn measure_wakeups(seconds: f64) -> AsyncTask<Measure> {
    AsyncTask::new(Measure(seconds))
}

pub struct Measure(f64);

impl Task for Measure {
    type Output = control::Wakeups;
    type JsValue = Wakeups;

    fn compute(&mut self) -> Result<control::Wakeups> {
        control::measure_wakeups(self.0, RealtimeRequest::default())
            .map_err(|error| Error::from_reason(format!("the system has no thread to spare: {error}")))
    }

    fn resolve(&mut self, _: Env, found: control::Wakeups) -> Result<Wakeups> {
        Ok(Wakeups {
            policy: found.status.policy,
            priority: found.status.priority,
            via: found.status.via,
            reason: found.status.reason,
            realtime: or_null(found.realtime),
            ordinary: distribution(found.ordinary),
        })
    }
}
