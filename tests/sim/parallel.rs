//! Runs independent pieces on all processors and gives their answers in order.

/// `run` of every item, in the items' order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut answers: Vec<(usize, R)> = std::thread::scope(|scope| {
        let share = |worker: usize| {
            let run = &run;
            move || -> Vec<(usize, R)> {
                let own = items.iter().enumerate().skip(worker).step_by(workers);
                own.map(|(index, item)| (index, run(item))).collect()
            }
        };
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(share(worker))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
