import type { KubeClient } from './client.ts';

/** The user name that this client has at the API server. */
export async function whoAmI(client: KubeClient): Promise<string> {
	const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
	const review = await client.request<{ status: { userInfo: { username: string } } }>(
		'POST',
		'/apis/authentication.k8s.io/v1/selfsubjectreviews',
		{ body },
	);
	return review.status.userInfo.username;
}
