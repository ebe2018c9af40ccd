import { jobHooks } from '../../api/keys.ts';
import { objectKey } from '../../api/object-key.ts';
import type { Cache } from '../../cluster/cache.ts';
import type { RunnerPods } from '../../cluster/runner-pods.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Clock } from '../../time/clock.ts';
import { followAuthoritiesEveryMs } from './rules/policy.ts';

interface FollowAuthoritiesOptions {
	cache: Pick<Cache, 'pods'>;
	pods: RunnerPods;
	/** The CAs that scripts are to trust, PEM; empty: not known. */
	authorities: () => string;
	clock: Clock;
	log: Log;
}

/**
 * Keeps the annotation with the CAs on runner pods up to date, until `signal` ends: the file of their hooks follows it. A new
 * CA is there long before its certificate is served (certificate.ts).
 */
export async function followAuthorities(
	{ cache, pods, authorities, clock, log }: FollowAuthoritiesOptions,
	signal: AbortSignal,
): Promise<void> {
	while (!signal.aborted) {
		const wanted = authorities();
		for (const object of wanted === '' ? [] : cache.pods.values()) {
			if (signal.aborted) return;
			const now = object.metadata.annotations?.[jobHooks.authorities];
			const pod = now === undefined || now === wanted ? undefined : pods.read(object);
			if (!pod || pod.terminating || pod.process.state === 'exited') continue;
			try {
				await pods.patch(pod, { annotations: { [jobHooks.authorities]: wanted } });
			} catch (error) {
				// The next round tries again; until then its hooks trust the previous CAs.
				log.warn(
					{ pod: objectKey(object.metadata), error: String(error) },
					'the CAs of its job hooks could not be written',
				);
			}
		}
		await clock.sleep(followAuthoritiesEveryMs, signal);
	}
}
