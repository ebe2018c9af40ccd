/** The bundle that reads kubeconfigs in full YAML. */
export { loadAll } from 'js-yaml';
