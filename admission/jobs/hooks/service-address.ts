import { names } from '../../api/keys.ts';
import type { KubeObject } from '../../api/kinds.ts';
import { objectPath, resources } from '../../api/paths.ts';
import type { KubeClient } from '../../kube/client.ts';
import { getObject } from '../../kube/objects.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Clock } from '../../time/clock.ts';
import { addressMaxAgeMs } from './rules/policy.ts';

interface Service extends KubeObject {
	spec?: { clusterIP?: string };
}

/** The cluster's address of our Service, for pods that know no names of the cluster. */
export class ServiceAddress {
	/** undefined: there is none, or it is not known yet. */
	current: string | undefined;

	/** Keeps it up to date until `signal` ends. */
	async run(
		{ client, namespace, clock, log }: { client: KubeClient; namespace: string; clock: Clock; log: Log },
		signal: AbortSignal,
	): Promise<void> {
		const path = objectPath(resources.services, { namespace, name: names.server });
		while (!signal.aborted) {
			try {
				const address = (await getObject<Service>(client, path, { signal }))?.spec?.clusterIP;
				this.current = address && address !== 'None' ? address : undefined;
			} catch (error) {
				if (!signal.aborted)
					log.warn(
						{ error: String(error) },
						'the address of the Service could not be read: pods that need it get no job hooks until it is known',
					);
			}
			await clock.sleep(addressMaxAgeMs, signal);
		}
	}
}
