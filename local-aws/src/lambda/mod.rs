//! Lambda: functions, their processes behind the Runtime API, and event source mappings.
