"""What alarms are made of: kinds of rules, times, deliveries, addresses."""
