import { TextInput } from '@mantine/core';

interface FindInputProps {
  /** For those who do not see it. */
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
}

/** Narrows a list down to what has a text in it. */
export function FindInput({ label, placeholder, value, onChange }: FindInputProps) {
  return (
    <TextInput
      size="xs"
      w={180}
      aria-label={label}
      placeholder={placeholder}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
