//! Serves the scenarios of the demo until Ctrl-C: `cargo run -p simulator --example serve -- [speed] [port]`, then
//! `kubectl --kubeconfig target/simulator.kubeconfig get jobs,pods -A -w`.

use jiff::Timestamp;
use simulator::{Ids, Player, Simulator, SimulatorOptions, demo_scenarios, timeline};
use std::error::Error;
use std::path::Path;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let speed: f64 = arguments.next().map_or(Ok(1.0), |speed| speed.parse())?;
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let simulator = Simulator::start(SimulatorOptions {
        port,
        ..SimulatorOptions::default()
    })
    .await?;
    let kubeconfig = Path::new("target/simulator.kubeconfig");
    simulator.write_kubeconfig(kubeconfig)?;
    eprintln!(
        "serving {} at {speed} times real speed; kubeconfig: {}",
        simulator.url(),
        kubeconfig.display()
    );
    let mut ids = Ids::new(1);
    let scenarios = demo_scenarios()?;
    let steps = timeline::together(
        scenarios
            .iter()
            .map(|scenario| scenario.timeline(Timestamp::now(), &mut ids)),
    );
    let mut player = Player::new(simulator.store().clone(), steps);
    tokio::select! {
        () = player.play(speed) => eprintln!("all scenarios have finished; still serving"),
        stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
    }
    tokio::signal::ctrl_c().await?;
    simulator.shutdown().await;
    Ok(())
}
