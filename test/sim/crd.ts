/** A minimal definition with which the API server stores objects of a kind: any fields, and a status subresource. */
export function crdWithAnyFields(group: string, kind: string): object {
	const singular = kind.toLowerCase();
	const plural = `${singular}s`;
	return {
		apiVersion: 'apiextensions.k8s.io/v1',
		kind: 'CustomResourceDefinition',
		metadata: { name: `${plural}.${group}` },
		spec: {
			group,
			scope: 'Namespaced',
			names: { kind, listKind: `${kind}List`, plural, singular },
			versions: [
				{
					name: 'v1alpha1',
					served: true,
					storage: true,
					subresources: { status: {} },
					schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
				},
			],
		},
	};
}
