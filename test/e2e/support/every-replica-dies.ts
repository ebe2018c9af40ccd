import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';

/** Every replica is killed, as soon as the back-stop of this namespace counts so many busy pods. */
export async function everyReplicaDies(rig: Rig, namespace: string, counted: number): Promise<void> {
	await eventually('the back-stop counts them', async () => {
		const budget = await rig.kube.get<{ status?: { currentHealthy?: number } }>(
			`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/runners-admission-busy`,
		);
		return (budget.status?.currentHealthy ?? 0) >= counted;
	});
	await Promise.all(
		[...rig.servers].map((server) => {
			server.signal('SIGKILL');
			return server.exited;
		}),
	);
}
