// Grafana's published types as our files must look: enums as the plain values that JSON holds,
// without the marker methods of the SDK, and with the options and field config of each panel type.
import type * as common from '@grafana/grafana-foundation-sdk/common';
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type * as gauge from '@grafana/grafana-foundation-sdk/gauge';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as table from '@grafana/grafana-foundation-sdk/table';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

type Plain<T> = T extends (...args: never[]) => unknown ? never
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Plain<E>[]
  : T extends object ? { [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: Plain<T[K]> }
  : T;

// What the Infinity plugin's backend parser takes; its types are not published for dashboards.
interface InfinityQuery {
  refId: string; datasource: Plain<common.DataSourceRef>; type: 'json'; source: 'url'; format: 'table';
  parser: 'backend'; url: string; url_options: { method: 'GET'; data: '' }; root_selector: string; filters: never[];
  columns: { selector: string; text: string; type: 'string' | 'number' | 'timestamp' | 'boolean' }[];
}

type Config<Custom> = Omit<Plain<dashboard.FieldConfigSource>, 'defaults'> & {
  defaults: Omit<Plain<dashboard.FieldConfig>, 'custom'> & { custom?: Custom };
};
type PanelOf<Type, Options, Custom = never> =
  Omit<Plain<dashboard.Panel>, 'type' | 'targets' | 'options' | 'fieldConfig'> & {
    type: Type; options: Partial<Plain<Options>>; fieldConfig: Config<Custom>;
    targets: (Plain<prometheus.Dataquery> | InfinityQuery)[];
  };

export type Dashboard = Omit<Plain<dashboard.Dashboard>, 'panels'> & {
  panels: (
    | Plain<dashboard.RowPanel>
    | PanelOf<'stat', stat.Options>
    | PanelOf<'gauge', gauge.Options>
    | PanelOf<'table', table.Options>
    | PanelOf<'timeseries', timeseries.Options, Plain<common.GraphFieldConfig>>
  )[];
};
