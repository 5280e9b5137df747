import { Alert, Button, Group, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';

/** Asks for a user who may see and steer; the children say what for. */
export function SignIn({
  signIn,
  children,
}: {
  signIn(user: string, password: string): Promise<void>;
  children: ReactNode;
}) {
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await signIn(user, password);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Stack component="form" maw={360} mx="auto" mt="xl" gap="sm" onSubmit={submit} aria-label="Sign in">
      <Title order={2} size="h4">
        Sign in
      </Title>
      <Text size="sm" c="dimmed">
        {children}
      </Text>
      <TextInput label="User" autoComplete="username" value={user} onChange={(e) => setUser(e.currentTarget.value)} />
      <PasswordInput
        label="Password"
        autoComplete="current-password"
        value={password}
        onChange={(e) => setPassword(e.currentTarget.value)}
      />
      {problem && (
        <Alert color="red" role="alert">
          {problem}
        </Alert>
      )}
      <Group>
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Group>
    </Stack>
  );
}
