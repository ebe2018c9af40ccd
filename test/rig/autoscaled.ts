import type { HorizontalRunnerAutoscaler } from '../../admission/api/autoscale.ts';
import type { WorkflowJob } from '../sim/jobs.ts';
import type { QueuedJob, Webhook } from '../sim/simulator.ts';
import { eventually } from './eventually.ts';
import type { SetUnderTest } from './runner-sets.ts';

type AutoscalerSpec = HorizontalRunnerAutoscaler['spec'];

/**
 * A set with a HorizontalRunnerAutoscaler of its name, and a webhook of its organization that delivers to the rig's
 * server.
 */
export class Autoscaled {
	readonly set: SetUnderTest;
	readonly hook: Webhook;

	private constructor(set: SetUnderTest, hook: Webhook) {
		this.set = set;
		this.hook = hook;
	}

	/** The autoscaler acts when this resolves. */
	static async make(set: SetUnderTest, spec: AutoscalerSpec = {}): Promise<Autoscaled> {
		const autoscaled = new Autoscaled(set, set.rig.addWebhook(set.scope));
		await set.rig.apply(autoscaled.manifest(spec));
		await eventually(`an autoscaler acts on ${set.namespace}`, async () => {
			const { status } = await autoscaled.object();
			return status?.desiredReplicas !== undefined;
		});
		return autoscaled;
	}

	manifest(spec: AutoscalerSpec): object {
		const { kind, name, namespace } = this.set;
		return {
			apiVersion: 'actions.summerwind.dev/v1alpha1',
			kind: 'HorizontalRunnerAutoscaler',
			metadata: { name, namespace },
			spec: {
				scaleTargetRef: { kind, name },
				minReplicas: 0,
				maxReplicas: 10,
				scaleUpTriggers: [{ githubEvent: { workflowJob: {} }, duration: '30m' }],
				...spec,
			},
		};
	}

	get path(): string {
		const { namespace, name } = this.set;
		return `/apis/actions.summerwind.dev/v1alpha1/namespaces/${namespace}/horizontalrunnerautoscalers/${name}`;
	}

	object(): Promise<HorizontalRunnerAutoscaler> {
		return this.set.rig.kube.get(this.path);
	}

	patch(spec: object): Promise<HorizontalRunnerAutoscaler> {
		return this.set.rig.kube.patch(this.path, { spec });
	}

	/** A job of a repository of the organization is queued at GitHub, which sends an event to the webhook. */
	queue(job: QueuedJob = {}): WorkflowJob {
		return this.set.rig.github.jobs.queue({ repository: `${this.set.namespace}/app`, ...job });
	}

	condition(type: string): Promise<{ status: string; reason?: string; message?: string } | undefined> {
		return this.object().then(({ status }) => status?.conditions?.find((one) => one.type === type));
	}

	/** Waits until the status says this. */
	says(what: string, verify: (status: NonNullable<HorizontalRunnerAutoscaler['status']>) => boolean) {
		return eventually(`the autoscaler of ${this.set.namespace} says ${what}`, async () => {
			const { status = {} } = await this.object();
			return verify(status);
		});
	}
}
