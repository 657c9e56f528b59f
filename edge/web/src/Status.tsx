export function Status({ status }: { status: string }) {
  return (
    <span className="status" data-status={status.toLowerCase()}>
      <span className="dot" aria-hidden="true" />
      {status.toLowerCase()}
    </span>
  );
}
