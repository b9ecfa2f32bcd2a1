//! `devices()`: asked on a thread of the runtime's pool, since servers and drivers may take their time.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::control;

#[napi(object, object_from_js = false)]
pub struct Sizes {
    pub min: u32,
    pub max: u32,
}

#[napi(object, object_from_js = false)]
pub struct DeviceInfo {
    pub backend: &'static str,
    pub id: String,
    pub name: String,
    pub is_default: bool,
    pub channels: u32,
    pub sample_rates: Vec<u32>,
    pub buffer_sizes: Either<Sizes, Null>,
}

pub struct Devices;

impl Task for Devices {
    type Output = Vec<control::DeviceInfo>;
    type JsValue = Vec<DeviceInfo>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(control::devices())
    }

    fn resolve(&mut self, _: Env, found: Self::Output) -> Result<Self::JsValue> {
        Ok(found
            .into_iter()
            .map(|device| DeviceInfo {
                backend: device.backend,
                id: device.id,
                name: device.name,
                is_default: device.is_default,
                channels: device.channels,
                sample_rates: device.sample_rates,
                buffer_sizes: match device.buffer_sizes {
                    Some((min, max)) => Either::A(Sizes { min, max }),
                    None => Either::B(Null),
                },
            })
            .collect())
    }
}

#[napi(catch_unwind)]
pub fn devices() -> AsyncTask<Devices> {
    AsyncTask::new(Devices)
}
