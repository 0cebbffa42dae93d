"""The gateway's side, in the data's order: config, schedule, measure, spool, ship; respond is the classroom's end."""
