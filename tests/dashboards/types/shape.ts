// What a dashboard of ours must be, by Grafana's own types: the dashboard, each panel by its kind, and the options and field settings of
// that kind. Unknown keys are refused, because the boards are written as literals.
import type { Dashboard, FieldConfig, FieldConfigSource, Panel } from '@grafana/schema';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has no enums: their values stand for them.
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

type Own = 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource';
type Source = { type: 'prometheus'; uid: string };
type Target = {
  refId: string;
  expr: string;
  datasource: Source;
  legendFormat?: string;
  instant?: boolean;
  range?: boolean;
  format?: 'time_series' | 'table';
};
type Defaults<Custom> = Json<Omit<FieldConfig, 'custom'>> & { custom?: Custom };
type Of<Kind extends string, Options, Custom = Record<string, never>> = Json<Omit<Panel, Own>> & {
  type: Kind;
  id: number;
  title: string;
  gridPos: { h: number; w: number; x: number; y: number };
  datasource: Source;
  targets: Target[];
  options: Json<Options>;
  fieldConfig: { defaults: Defaults<Json<Partial<Custom>>>; overrides: Json<FieldConfigSource['overrides']> };
};

export type Board = Json<Omit<Dashboard, 'panels'>> & {
  uid: string;
  title: string;
  panels: (
    | Of<'stat', Partial<stat.Options>>
    | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
    | Of<'bargauge', Partial<bargauge.Options>>
    | Of<'state-timeline', Partial<timeline.Options>, timeline.FieldConfig>
    | Of<'table', Partial<table.Options>, table.FieldConfig>
  )[];
};
