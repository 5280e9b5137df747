import { Alert, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';

/** Something that is done once it is confirmed. */
export interface Action {
  readonly title: string;
  /** What it means, for everybody. */
  readonly effect: string;
  /** Word on the button. */
  readonly verb: string;
  readonly color?: string;
  /** A text that is asked for. */
  readonly input?: { readonly label: string; readonly placeholder?: string };
  /** The command that does the same. */
  readonly command: (input: string) => string;
  /** @returns what came of it, in a sentence */
  run(input: string): Promise<string>;
}

/** Asks for an action; absent for those who may do none. */
export type Act = (action: Action) => void;

export function Confirm({
  action,
  onClose,
  onDone,
}: {
  action: Action;
  onClose(): void;
  onDone(result: string): void;
}) {
  const [input, setInput] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      onDone(await action.run(input.trim()));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={action.title} centered>
      <Stack component="form" gap="sm" onSubmit={submit}>
        <Text size="sm">{action.effect}</Text>
        {action.input && (
          <TextInput
            data-autofocus
            label={action.input.label}
            placeholder={action.input.placeholder}
            maxLength={500}
            value={input}
            onChange={(event) => setInput(event.currentTarget.value)}
          />
        )}
        <Text size="xs" c="dimmed" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
          graticule broker {action.command(input.trim())}
        </Text>
        {problem && (
          <Alert color="red" role="alert">
            {problem}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus={action.input ? undefined : true}>
            Leave it
          </Button>
          <Button type="submit" color={action.color} loading={busy}>
            {action.verb}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** A word for a shell. */
export function shellWord(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
