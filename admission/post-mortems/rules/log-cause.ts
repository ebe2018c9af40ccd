import type { EndReason } from '../../api/ended-runners.ts';

/** What the end of a runner's log says about its end. `job`: it has run one, so that it ended as it should. */
type LogCause = { says: 'job' } | { says: EndReason; line: string } | { says: 'nothing' };

const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`;
/** It was connected to GitHub: its tries before have succeeded. */
const listened = new RegExp(`^${time}: Listening for Jobs`);
const ranJob = new RegExp(`^${time}: (?:Running job: |Job .* completed with result: \\w+$)`);

/**
 * Lines of actions/runner and of ARC's runner image, at the start of a line or after a tag such as "An error occurred: ":
 * BrokerMessageListener.cs and BrokerHttpClient.cs ("Runner version v2.330.0 is deprecated and cannot receive messages."),
 * MessageListener.cs ("Failed to create a session. The runner registration has been deleted ...", "A session for this
 * runner already exists."), ConfigurationManager.cs ("Http response code: NotFound from 'POST .../actions/runner-registration'"),
 * and startup.sh of summerwind/actions-runner ("Configuration failed!").
 */
const lines: readonly [EndReason, RegExp][] = [
	['runner-outdated', /\bRunner version v?[\w.-]+ is deprecated and cannot receive messages/],
	['session-conflict', /\bA session for this runner already exists\b/],
	['registration-refused', /\bThe runner registration has been deleted from the server\b/],
	['registration-refused', /\bHttp response code: \w+ from 'POST [^']*\/actions\/runner-registration'/],
	['registration-refused', /\bInvalid configuration provided for token\b/],
	['registration-refused', /\bConfiguration failed!/],
];

/** The last telling line counts. A job's own output is not in this log, but its name is, in the lines about the job. */
export function causeInLog(log: readonly string[]): LogCause {
	let found: LogCause = { says: 'nothing' };
	for (const line of log) {
		if (ranJob.test(line)) found = { says: 'job' };
		else if (listened.test(line) && found.says !== 'job') found = { says: 'nothing' };
		else {
			const [reason] = lines.find(([, pattern]) => pattern.test(line)) ?? [];
			if (reason) found = { says: reason, line };
		}
	}
	return found;
}
