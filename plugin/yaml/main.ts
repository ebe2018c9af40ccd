/** The bundle behind kubeconfigs that are more than plain YAML. */
export { loadAll } from 'js-yaml';
