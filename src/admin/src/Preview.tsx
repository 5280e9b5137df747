import { Anchor, Button, Code, CopyButton, Group, SegmentedControl, Text } from '@mantine/core';
import { createEmpty, extend, getCenter, isEmpty } from 'ol/extent.js';
import Graticule from 'ol/layer/Graticule.js';
import ImageLayer from 'ol/layer/Image.js';
import OlMap from 'ol/Map.js';
import { disableCoordinateWarning, transformExtent } from 'ol/proj.js';
import ImageWMS from 'ol/source/ImageWMS.js';
import Stroke from 'ol/style/Stroke.js';
import View from 'ol/View.js';
import { useEffect, useRef, useState } from 'react';
import type { LayerSummary, NodeSummary } from './overview.ts';

// The middle of the world is at 0, 0 in metres as well: no sign that somebody mixed up units.
disableCoordinateWarning();

interface PreviewProps {
  readonly layer: LayerSummary;
  readonly nodes: readonly NodeSummary[];
  readonly here: string;
}

/** A layer on a map, drawn by the node of one's choice, and drawn again whenever that node applies a change. */
export function Preview({ layer: latest, nodes, here }: PreviewProps) {
  // The overview is new each second; the map is made once for a layer.
  const [layer] = useState(latest);
  const [chosen, setChosen] = useState(here);
  const node = nodes.find((n) => n.name === chosen) ?? nodes.find((n) => n.name === here);
  const [problem, setProblem] = useState<string>();
  const [view, setView] = useState<{ box: number[]; width: number; height: number }>();
  const target = useRef<HTMLDivElement>(null);
  const source = useRef<ImageWMS>(null);
  const url = node ? `${node.url}/wms` : undefined;
  const request = url && view ? getMapUrl(url, layer.name, view) : '';

  useEffect(() => {
    if (!target.current) return;
    const wms = new ImageWMS({
      params: { LAYERS: layer.name, FORMAT: 'image/png' },
      ratio: 1,
      serverType: 'geoserver',
    });
    source.current = wms;
    wms.on('imageloaderror', () => setProblem('the node could not draw this layer here'));
    wms.on('imageloadend', () => setProblem(undefined));
    const extent = extentOf(layer);
    const map = new OlMap({
      target: target.current,
      layers: [
        new Graticule({
          strokeStyle: new Stroke({ color: 'rgba(80,110,120,0.35)', width: 1 }),
          showLabels: false,
          wrapX: true,
        }),
        new ImageLayer({ source: wms }),
      ],
      view: new View({ center: getCenter(extent), zoom: 1, maxZoom: 22 }),
    });
    map.getView().fit(extent, { padding: [16, 16, 16, 16], maxZoom: 16 });
    const show = () => {
      const [width, height] = map.getSize() ?? [0, 0];
      if (width && height) setView({ box: map.getView().calculateExtent([width, height]), width, height });
    };
    map.on('moveend', show);
    return () => map.setTarget(undefined);
  }, [layer]);

  // The position is part of the request, so that a change is seen at once and the browser's cache never shows an old map.
  useEffect(() => {
    if (!url || !source.current) return;
    if (source.current.getUrl() !== url) source.current.setUrl(url);
    source.current.updateParams({ _POSITION: node?.position });
  }, [url, node?.position]);

  return (
    <section className="preview" aria-label={`Preview of ${layer.name}`}>
      <Group justify="space-between">
        <Text fw={600}>{layer.title || layer.name}</Text>
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            drawn by
          </Text>
          <SegmentedControl
            aria-label="Node that draws the map"
            size="xs"
            data={nodes.map((n) => n.name)}
            value={node?.name ?? here}
            onChange={setChosen}
          />
        </Group>
      </Group>
      <div ref={target} className="map" role="application" aria-label="Map" />
      <Group gap="xs" wrap="nowrap">
        {problem ? (
          <Text size="xs" c="red" role="alert">
            {problem}
          </Text>
        ) : (
          <Code style={{ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', flex: 1 }}>{request}</Code>
        )}
        <CopyButton value={request}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy URL'}
            </Button>
          )}
        </CopyButton>
        {node && (
          <Anchor size="xs" href={`${node.url}/wms?service=WMS&version=1.3.0&request=GetCapabilities`}>
            Capabilities
          </Anchor>
        )}
      </Group>
    </section>
  );
}

/** What the map shows, as a request that anything can send. */
function getMapUrl(url: string, layer: string, view: { box: number[]; width: number; height: number }): string {
  const size = `width=${Math.round(view.width)}&height=${Math.round(view.height)}`;
  const box = view.box.map((n) => n.toFixed(2)).join(',');
  return (
    `${url}?service=WMS&version=1.1.1&request=GetMap&layers=${encodeURIComponent(layer)}&styles=` +
    `&srs=EPSG:3857&bbox=${box}&${size}&format=image/png&transparent=true`
  );
}

/** Bounds in Web Mercator, cut to where it is defined; the whole world when the layer does not say. */
function extentOf(layer: LayerSummary): number[] {
  const [west, south, east, north] = layer.bbox ?? [-180, -85, 180, 85];
  const cut = [Math.max(west, -180), Math.max(south, -85), Math.min(east, 180), Math.min(north, 85)];
  const extent = extend(createEmpty(), transformExtent(cut, 'EPSG:4326', 'EPSG:3857'));
  return isEmpty(extent) ? transformExtent([-180, -85, 180, 85], 'EPSG:4326', 'EPSG:3857') : extent;
}
