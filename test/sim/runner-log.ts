/**
 * What actions/runner prints on its standard output (Runner.cs, JobDispatcher.cs, MessageListener.cs of 2.336.0). It says
 * that it listens once, at its start, and not again after a job. What it prints where GitHub refuses its version, and its
 * exit codes: Program.cs:142, Constants.cs:162, src/Misc/layoutroot/run-helper.sh.template:41-46.
 */
import { ContainerLog } from './container-log.ts';

const runnerVersion = '2.336.0';
/** The number of lines of a worker's trace for each job, if the trace is printed. */
const workerTraceLines = 40;

export type JobResult = 'Succeeded' | 'Failed' | 'Canceled';

export class RunnerLog {
	current = new ContainerLog();
	/** Of the container before this one, in the same pod. */
	previous: ContainerLog | undefined;
	/** ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT: its trace is printed too, and repeats every line. */
	#traced = false;

	/** The container starts: its log is a new one. */
	start(again: boolean, traced: boolean): void {
		if (again) {
			this.current.end();
			this.previous = this.current;
			this.current = new ContainerLog();
		}
		this.#traced = traced;
	}

	listening(version = runnerVersion): void {
		this.#line('');
		this.#line('√ Connected to GitHub');
		this.#line('');
		this.#line(`Current runner version: '${version}'`);
		this.#line(`${stamp()}: Listening for Jobs`);
	}

	registrationFailed(): void {
		this.current.print(
			`Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration' (Request Id: 0)\n`,
		);
	}

	/** Printed when the job is received, before its worker starts. */
	received(job: string): void {
		this.#line(`${stamp()}: Running job: ${job}`);
		if (!this.#traced) return;
		for (let line = 1; line <= workerTraceLines; line++)
			this.current.print(`[WORKER ${stamp()} INFO StepsRunner] step ${line}\n`);
	}

	/** Printed when the worker has ended, before that is reported to GitHub. */
	completed(job: string, result: JobResult): void {
		this.#line(`${stamp()}: Job ${job} completed with result: ${result}`);
	}

	/** The listener got the answer that GitHub no longer knows it. */
	removed(): void {
		this.current.print('The runner no longer exists on the server. Cleaning up local configuration.\n');
	}

	/** GitHub has refused its version. @returns the exit code of run.sh, by ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE */
	refused(version: string, asked: boolean): 0 | 7 {
		this.current.print(
			`An error occurred: Error: Forbidden Runner version v${version} is deprecated and cannot receive messages.\n`,
		);
		this.current.print(
			asked
				? 'Runner listener exit with deprecated version exit code: 7.\n'
				: 'Runner listener exit with terminated error, stop the service, no retry needed.\n',
		);
		this.current.print('Exiting runner...\n');
		return asked ? 7 : 0;
	}

	exiting(): void {
		this.current.print('Runner listener exit with 0 return code, stop the service, no retry needed.\n');
		this.current.print('Exiting runner...\n');
	}

	#line(text: string): void {
		if (this.#traced) this.current.print(`[RUNNER ${stamp()} INFO Terminal] WRITE LINE: ${text}\n`);
		this.current.print(`${text}\n`);
	}
}

/** .NET's format `u`: 2026-11-26 15:22:23Z */
const stamp = () => `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`;
