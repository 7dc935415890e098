//! The engine: work sources, book, planner and the loop that decides what to execute.
