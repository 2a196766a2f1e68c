//! The search: many scenes side by side.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::boundaries::{Map, explore};
use super::invariants::{Broken, Invariant};
use super::report::{Report, Violation};
use super::scene::Scene;
use super::schedule::{Schedule, schedules as any_schedule};
use super::service::Service;
use super::systematic;

/// `NOTHING_LOST_SEED`, or 1: a change is judged by what was played before it. Each schedule has a seed of its own, counted
/// from there.
pub(super) fn seed() -> u64 {
    let given = std::env::var("NOTHING_LOST_SEED");
    given.map_or(1, |seed| seed.parse().unwrap())
}

/// `NOTHING_LOST_SCHEDULES`, or what CI has time for.
pub(super) fn schedules() -> u64 {
    let given = std::env::var("NOTHING_LOST_SCHEDULES");
    given.map_or(300, |count| count.parse().unwrap())
}

/// The whole list of single faults.
pub(super) async fn systematically(program: &Path) -> Report {
    let map = explored(program).await;
    let schedules = systematic::schedules(&map);
    systematic::assert_whole(&map, &schedules);
    let jobs = schedules.into_iter().map(|schedule| (None, schedule));
    play_all(program, &map, jobs.collect(), None, ENOUGH).await
}

/// So many random schedules from a seed.
pub(super) async fn randomly(program: &Path, seed: u64, count: u64) -> Report {
    println!("NOTHING_LOST_SEED={seed} NOTHING_LOST_SCHEDULES={count}");
    let map = explored(program).await;
    let jobs = random(seed, count);
    play_all(program, &map, jobs.collect(), Some(seed), ENOUGH).await
}

/// Either, in turns, until something of `defective` breaks; the faults are aimed at what the `sound` program does.
pub(super) async fn until_broken(sound: &Path, defective: &Path, seed: u64, count: u64) -> Report {
    let map = explored(sound).await;
    let mut random = random(seed, count);
    let mut jobs = VecDeque::new();
    for schedule in systematic::schedules(&map) {
        jobs.push_back((None, schedule));
        jobs.extend(random.by_ref().take(2));
    }
    jobs.extend(random);
    play_all(defective, &map, jobs, Some(seed), 1).await
}

async fn explored(program: &Path) -> Rc<Map> {
    let mut scene = Scene::start(program).await;
    let map = explore(&mut scene).await;
    scene.end().await;
    Rc::new(map)
}

fn random(seed: u64, count: u64) -> impl Iterator<Item = Job> {
    (seed..seed + count).map(|seed| (Some(seed), tree(seed).current()))
}

/// A schedule, with the seed that it comes from.
type Job = (Option<u64>, Schedule);

/// The schedule of a seed, which can be shrunk.
fn tree(seed: u64) -> impl ValueTree<Value = Schedule> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    any_schedule().new_tree(&mut runner).unwrap()
}

/// Plays all, a few at a time, and shrinks what breaks; gives up after so many.
async fn play_all(
    program: &Path,
    map: &Rc<Map>,
    jobs: VecDeque<Job>,
    seed: Option<u64>,
    enough: usize,
) -> Report {
    let jobs = Rc::new(RefCell::new(jobs));
    let noted = Rc::new(RefCell::new(Report::begin(seed)));
    let here = LocalSet::new();
    let worker = |_| {
        let jobs = Rc::clone(&jobs);
        let noted = Rc::clone(&noted);
        let program = program.to_owned();
        let map = Rc::clone(map);
        here.spawn_local(work(program, map, jobs, noted, enough))
    };
    let scenes = if seed.is_some() { COMPUTING } else { WAITING };
    let workers: Vec<_> = (0..scenes).map(worker).collect();
    here.await;
    for worker in workers {
        let ended = worker.await;
        ended.unwrap_or_else(|panic| panic!("schedules were left unplayed: {panic}"));
    }
    let left = jobs.borrow().len();
    let found = noted.borrow().violations.len();
    assert!(left == 0 || found >= enough, "{left} schedules unplayed");
    let mut report = noted.take();
    report.end();
    for violation in &mut report.violations {
        violation.shrunk = match violation.seed {
            Some(seed) => shrunk(program, map, seed).await,
            None => alone(program, map, &violation.schedule).await,
        };
    }
    report
}

/// Plays what is left, one after the other, until enough is broken.
async fn work(
    program: PathBuf,
    map: Rc<Map>,
    jobs: Rc<RefCell<VecDeque<Job>>>,
    noted: Rc<RefCell<Report>>,
    enough: usize,
) {
    let mut scene = None;
    while noted.borrow().violations.len() < enough {
        let Some((seed, schedule)) = jobs.borrow_mut().pop_front() else {
            break;
        };
        let place = match scene.take() {
            Some(scene) => scene,
            None => Scene::start(&program).await,
        };
        let (played, place) = play(place, &map, &schedule).await;
        scene = place;
        let mut noted = noted.borrow_mut();
        noted.count(&schedule, &played);
        noted.progress();
        if let Err(broken) = played {
            println!("{seed:?}: {broken}");
            noted.violations.push(Violation::of(seed, schedule, broken));
        }
    }
    if let Some(scene) = scene {
        scene.end().await;
    }
}

/// Plays one; the scene is good for another unless something is broken.
async fn play(
    mut scene: Scene,
    map: &Rc<Map>,
    schedule: &Schedule,
) -> (Result<usize, Broken>, Option<Scene>) {
    let map = Rc::clone(map);
    let schedule = schedule.clone();
    let playing = spawn_local(async move {
        let played = timeout(LONGEST, Service::play(&mut scene, &map, &schedule)).await;
        let stuck = |_| Err(Broken::new(Invariant::I3, "it does not come to an end"));
        (played.unwrap_or_else(stuck), scene)
    });
    match playing.await {
        Ok((Ok(calls), scene)) => (Ok(calls), Some(scene)),
        Ok((Err(broken), scene)) => {
            scene.end().await;
            (Err(broken), None)
        }
        Err(panic) => {
            let what = format!("the testbed did not hold: {panic}");
            (Err(Broken::new(Invariant::Testbed, what)), None)
        }
    }
}

/// The shortest schedule near that of a seed which still breaks an invariant.
async fn shrunk(program: &Path, map: &Rc<Map>, seed: u64) -> Option<(Schedule, Broken)> {
    let mut tree = tree(seed);
    let mut shortest = None;
    let mut scene = None;
    for _ in 0..MOST_SHRINKS {
        let (played, place) = here(program, scene, map, &tree.current()).await;
        scene = place;
        let goes_on = match played {
            Err(broken) => {
                shortest = Some((tree.current(), broken));
                tree.simplify()
            }
            Ok(_) => tree.complicate(),
        };
        if !goes_on {
            break;
        }
    }
    if let Some(scene) = scene {
        scene.end().await;
    }
    shortest
}

/// The first event of a schedule that breaks an invariant by itself, or after what came before it.
async fn alone(program: &Path, map: &Rc<Map>, schedule: &Schedule) -> Option<(Schedule, Broken)> {
    let mut scene = None;
    let events = &schedule.events;
    let singles = events.chunks(1);
    let beginnings = (2..=events.len()).map(|count| &events[..count]);
    for events in singles.chain(beginnings) {
        let shorter = Schedule {
            events: events.to_vec(),
            ..schedule.clone()
        };
        let (played, place) = here(program, scene, map, &shorter).await;
        scene = place;
        if let Err(broken) = played {
            return Some((shorter, broken));
        }
    }
    if let Some(scene) = scene {
        scene.end().await;
    }
    None
}

async fn here(
    program: &Path,
    scene: Option<Scene>,
    map: &Rc<Map>,
    schedule: &Schedule,
) -> (Result<usize, Broken>, Option<Scene>) {
    let scene = match scene {
        Some(scene) => scene,
        None => Scene::start(program).await,
    };
    LocalSet::new().run_until(play(scene, map, schedule)).await
}

/// Scenes at once for random schedules, which keep the processors busy.
const COMPUTING: usize = 8;
/// Scenes at once for those of the list, which mostly wait.
const WAITING: usize = 14;
/// After so many violations there is enough to think about.
const ENOUGH: usize = 3;
const MOST_SHRINKS: usize = 60;
/// Nothing that a schedule waits for takes so long.
const LONGEST: Duration = Duration::from_mins(3);
